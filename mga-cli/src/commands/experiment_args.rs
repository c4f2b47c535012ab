//! The arguments of every command that reads an experiment.

use std::path::PathBuf;

use mga_experiment::{Components, ExperimentError, Loaded, Overrides, load};

/// An experiment file, and settings over it.
#[derive(Debug, Clone, clap::Args)]
pub struct ExperimentArgs {
    /// The experiment file (TOML).
    pub experiment: PathBuf,
    /// Set a key of the experiment to a TOML value, or else a string. It overrides the file and environment variables
    /// such as MGA__MODEL__ATTENTION. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl ExperimentArgs {
    /// Loads the experiment; warnings go to standard error.
    ///
    /// # Errors
    /// Everything that is wrong with the experiment.
    pub fn load(&self, components: &Components) -> Result<Loaded, ExperimentError> {
        let loaded = load(&self.experiment, &Overrides::from_process(self.set.clone()), components)?;
        for warning in &loaded.warnings {
            say!("{warning}");
        }
        Ok(loaded)
    }
}
