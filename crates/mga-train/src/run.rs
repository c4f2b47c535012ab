//! Runs of experiments, with what they are run with said once.

use std::path::Path;

use mga_experiment::{Components, Loaded, Overrides};

use crate::interrupt::Interrupt;
use crate::progress::{Listener, Silent};
use crate::run_folder::RunFolder;
use crate::world::{Alone, World};
use crate::{EvaluatedSplit, Trained, Weights, check, evaluate, train_in};

/// Runs experiments with some components. Nobody listens and nothing interrupts, unless it is said.
///
/// ```
/// use mga_train::{Run, builtin};
///
/// let components = builtin();
/// let run = Run::new(&components);
/// let mut experiment = run.text(
///     r#"
///     task = "classification"
///     data = { dataset = "leaves", size = 16, train_per_class = 2, test_per_class = 1 }
///     model = { backbone = "conv4", attention = "none", mask_guidance = false }
///     schedule = { epochs = 1 }
///     eval = { select_on = "last" }
///     "#,
/// )?;
/// assert!(run.check(&mut experiment)?.contains("model: conv4"));
/// # anyhow::Ok(())
/// ```
#[derive(Clone)]
pub struct Run<'a> {
    components: &'a Components,
    listener: &'a dyn Listener,
    interrupt: Interrupt,
    world: &'a dyn World,
}

impl<'a> Run<'a> {
    /// Creates a run with these components.
    #[must_use]
    pub fn new(components: &'a Components) -> Self {
        Self { components, listener: &Silent, interrupt: Interrupt::default(), world: &Alone }
    }

    /// Returns the run with a `listener` for its progress.
    #[must_use]
    pub fn with_listener(self, listener: &'a dyn Listener) -> Self {
        Self { listener, ..self }
    }

    /// Returns the run, which ends when `interrupt` is raised.
    #[must_use]
    pub fn with_interrupt(self, interrupt: &Interrupt) -> Self {
        Self { interrupt: interrupt.clone(), ..self }
    }

    /// Returns the run, which trains together with the other ranks of `world`. Each rank makes the same calls, in its
    /// own process or thread.
    #[must_use]
    pub fn with_world(self, world: &'a dyn World) -> Self {
        Self { world, ..self }
    }

    /// Loads an experiment that is given as text in TOML. Environment variables do not change it.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one pass.
    pub fn text(&self, text: &str) -> anyhow::Result<Loaded> {
        Ok(mga_experiment::load_text(text, &Overrides::default(), self.components)?)
    }

    /// Loads an experiment file. Environment variables do not change it.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one pass.
    pub fn file(&self, file: impl AsRef<Path>) -> anyhow::Result<Loaded> {
        Ok(mga_experiment::load(file.as_ref(), &Overrides::default(), self.components)?)
    }

    /// Checks the experiment with [`check`], and describes what will train.
    ///
    /// # Errors
    /// What is wrong with the experiment, its data or its weights.
    pub fn check(&self, experiment: &mut Loaded) -> anyhow::Result<String> {
        check(experiment, self.components, self.listener, &self.interrupt)
    }

    /// Trains with [`train`](crate::train) into `folder`, which must not hold a run yet.
    ///
    /// # Errors
    /// A wrong experiment, data or weights; a loss that is not finite; an interruption.
    pub fn train(&self, experiment: &mut Loaded, folder: impl AsRef<Path>) -> anyhow::Result<Trained> {
        let folder = RunFolder::at(folder.as_ref());
        train_in(self.world, experiment, self.components, &folder, false, self.listener, &self.interrupt)
    }

    /// Goes on with the run in `folder`, by the experiment that lies in it, to the same bits as if it had never stopped.
    ///
    /// # Errors
    /// No run there; data that changed; otherwise as of [`Self::train`].
    pub fn resume(&self, folder: impl AsRef<Path>) -> anyhow::Result<Trained> {
        let folder = RunFolder::at(folder.as_ref());
        let overrides = Overrides { weights_read: folder.has_read_weights(), ..Overrides::default() };
        let mut experiment = mga_experiment::load(&folder.experiment(), &overrides, self.components)?;
        train_in(self.world, &mut experiment, self.components, &folder, true, self.listener, &self.interrupt)
    }

    /// Evaluates the images of `split` with [`evaluate`]; `split` is `train`, `validation` or `test`.
    ///
    /// # Errors
    /// A wrong experiment, data or weights; no images in the split; an interruption.
    pub fn evaluate(
        &self,
        experiment: &mut Loaded,
        weights: Weights<'_>,
        split: &str,
    ) -> anyhow::Result<EvaluatedSplit> {
        let note = |line: &str| self.listener.say(line);
        evaluate(experiment, self.components, weights, split, &self.interrupt, &note)
    }
}
