//! Training an experiment into a run's folder, from the start or from where it stopped.

use mga_experiment::{Components, Loaded};

pub use super::stage::Trained;
use super::stage::{At, Begun, train_stage};
use super::stages;
use crate::interrupt::Interrupt;
use crate::progress::Listener;
use crate::run_folder::RunFolder;

/// Trains an experiment into `folder`; with `resume`, goes on with the run that is there. The weights that the experiment
/// names are settled in it. Of an experiment of several stages the earlier ones are trained first, in folders of their own.
///
/// # Errors
/// A wrong experiment, data or weights; a loss that is not finite; a signal.
pub fn train(
    loaded: &mut Loaded,
    components: &Components,
    folder: &RunFolder,
    resume: bool,
    voice: &dyn Listener,
    interrupt: &Interrupt,
) -> anyhow::Result<Trained> {
    let at = At { components, voice, interrupt };
    if loaded.earlier().is_empty() {
        return train_stage(loaded, at, Begun { folder, resume, lock: None, previous: None, whole: None });
    }
    stages::train(loaded, at, folder, resume)
}
