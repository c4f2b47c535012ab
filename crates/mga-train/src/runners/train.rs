//! Training an experiment into a run's folder, from the start or from where it stopped.

use mga_experiment::{Components, Loaded, StageWork};

pub use super::stage::Trained;
use super::stage::{At, Begun, train_stage};
use super::stages;
use crate::interrupt::Interrupt;
use crate::progress::{Listener, Silent};
use crate::run_folder::RunFolder;
use crate::world::{Alone, World};

/// Trains an experiment into `folder`; with `resume`, goes on with the run that is there. The weights that the experiment
/// names are settled in it. The earlier stages of an experiment of several are trained first, in folders of their own.
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
    train_in(&Alone, loaded, components, folder, resume, voice, interrupt)
}

/// Trains as [`train`] does, together with the other ranks of `world`, which call it with the same experiment and folder.
/// Rank 0 alone writes, and says what there is to say.
///
/// # Errors
/// As of [`train`]; a rank that ended. The other ranks end too. Several ranks with an experiment of several stages, or of
/// one that trains nothing.
pub fn train_in(
    world: &dyn World,
    loaded: &mut Loaded,
    components: &Components,
    folder: &RunFolder,
    resume: bool,
    voice: &dyn Listener,
    interrupt: &Interrupt,
) -> anyhow::Result<Trained> {
    let voice = if world.rank() == 0 { voice } else { &Silent };
    let at = At { components, voice, interrupt, world };
    let trained = of_rank(loaded, at, folder, resume);
    trained.inspect_err(|error| world.abort(&format!("rank {} ended: {error:#}", world.rank())))
}

fn of_rank(loaded: &mut Loaded, at: At<'_>, folder: &RunFolder, resume: bool) -> anyhow::Result<Trained> {
    let one = loaded.earlier().is_empty() && loaded.work == StageWork::Fit;
    anyhow::ensure!(
        one || at.world.size() == 1,
        "run_stages: several ranks share the training of one stage; choose one stage that trains, or use one rank"
    );
    if loaded.earlier().is_empty() {
        return train_stage(loaded, at, Begun { folder, resume, lock: None, previous: None, whole: None });
    }
    stages::train(loaded, at, folder, resume)
}
