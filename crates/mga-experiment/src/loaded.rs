//! An experiment that was loaded: its settings, where they were written, and the stages before it.

use mga_core::error::InvalidSetting;
use serde_json::Value;

use super::assigned;
use super::consistency;
use super::defaults::Defaults;
use super::idle::Idle;
use super::key_path::KeyPath;
use super::problem::{ExperimentError, Problem};
use super::resolved;
use super::settings::Experiment;
use super::sources::Sources;
use super::task::StageWork;
use super::validate::About;

/// An experiment that was found sound, and where each of its settings was written.
///
/// A run of several stages is its last one, with those before it in [`Loaded::earlier`]: each stage is an experiment of its
/// own, the top-level tables with the stage's laid over them.
#[derive(Debug)]
pub struct Loaded {
    /// The experiment.
    pub experiment: Experiment,
    /// Warnings about settings that run, but perhaps not as intended.
    pub warnings: Vec<Problem>,
    /// The settings without effect in a sweep's cell. They may have an effect in another cell, so the sweep decides.
    pub idle: Vec<Idle>,
    /// Registered components of the kinds that other crates define.
    pub kinds: mga_registry::Registry,
    /// The work of the experiment's stage. Without stages a model is fitted.
    pub work: StageWork,
    pub(super) sources: Sources,
    pub(super) defaults: Defaults,
    /// Of a run of several stages: those before this one, in their order.
    pub(super) earlier: Vec<Loaded>,
}

impl Loaded {
    /// Returns an error about the setting `key` (`"model.freeze_through"`) that shows only later, once data or weights
    /// are open.
    #[must_use]
    pub fn error(&self, key: &str, message: impl Into<String>) -> ExperimentError {
        self.problem(KeyPath::dotted(key), message).into()
    }

    fn problem(&self, key: KeyPath, message: impl Into<String>) -> Problem {
        Problem::error(self.sources.place(&key, About::Value), self.sources.full_key(&key), message)
    }

    /// Returns an error of what was made from the settings of `table`: at the setting that it names, else at the table.
    #[must_use]
    pub fn error_in(&self, table: &str, error: impl Into<anyhow::Error>) -> ExperimentError {
        let error = error.into();
        let of_data = || error.downcast_ref::<mga_data::Error>().and_then(mga_data::Error::invalid_setting);
        let of_core = error.downcast_ref::<mga_core::Error>().and_then(mga_core::Error::invalid_setting);
        match of_core.or_else(of_data) {
            Some(InvalidSetting { key, what }) => {
                let key = assigned::setting_path(key).unwrap_or_else(|_| KeyPath::dotted(key));
                self.problem(key, what).into()
            }
            None => self.error(table, error.to_string()),
        }
    }

    /// Returns a warning about the setting `key`.
    #[must_use]
    pub fn warning(&self, key: &str, message: impl Into<String>) -> Problem {
        let key = KeyPath::dotted(key);
        Problem::warning(self.sources.place(&key, About::Value), self.sources.full_key(&key), message)
    }

    /// Returns whether anything but a default sets `key`.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.sources.written(&KeyPath::dotted(key)).is_some()
    }

    /// Returns whether `key` is left out and what stands for it is the default of this release, where that differs from
    /// release 0.1: in an experiment that was written by hand, and not in one that mga resolved, which records its
    /// settings.
    #[must_use]
    pub fn takes_new_default(&self, key: &str) -> bool {
        self.defaults == Defaults::New && !self.is_set(key)
    }

    /// To be asked once the data set is open and split, with the number of validation images.
    ///
    /// # Errors
    /// There are none, and the experiment selects on them.
    pub fn check_validation(&self, images: usize) -> Result<(), ExperimentError> {
        let selects = self.work == StageWork::Fit && self.experiment.eval.select_on == super::SelectOn::Validation;
        if selects && images == 0 {
            return Err(self.error("eval.select_on", consistency::no_validation()));
        }
        Ok(())
    }

    /// Returns the stages before this one that run too, in their order; none of an experiment of one stage.
    #[must_use]
    pub fn earlier(&self) -> &[Self] {
        &self.earlier
    }

    /// Takes the stages before this one away: what is left is an experiment of one stage. [`Loaded::follow`] puts them back.
    #[must_use]
    pub fn take_earlier(&mut self) -> Vec<Self> {
        std::mem::take(&mut self.earlier)
    }

    /// Puts stages before this one.
    pub fn follow(&mut self, earlier: Vec<Self>) {
        self.earlier = earlier;
    }

    /// Returns all stages that run, in their order, this one last.
    pub fn stages(&self) -> impl Iterator<Item = &Self> {
        self.earlier.iter().chain([self])
    }

    fn experiments(&self) -> Vec<&Experiment> {
        self.stages().map(|stage| &stage.experiment).collect()
    }

    /// Returns the experiment with all its stages as JSON, in the form of the file.
    ///
    /// # Errors
    /// A setting that JSON cannot say: none that was loaded.
    pub fn value(&self) -> anyhow::Result<Value> {
        resolved::value(&self.experiments())
    }

    /// Returns the experiment with all its stages as TOML, every setting written out: loading it gives equal experiments.
    /// `defaults` are those that it was loaded with.
    ///
    /// # Errors
    /// A setting that TOML cannot say: none that was loaded.
    pub fn resolved(&self, defaults: Defaults) -> anyhow::Result<String> {
        resolved::resolved(&self.experiments(), defaults)
    }

    /// Writes the resolved experiment, which is of one stage, as the base of a sweep, whose runs have these defaults. Of a
    /// task with stages [`collected_base`](crate::collected_base) is the base.
    ///
    /// # Errors
    /// As [`Loaded::resolved`].
    pub fn base_toml(&self, defaults: Defaults) -> anyhow::Result<String> {
        resolved::base(&self.experiment, defaults)
    }
}
