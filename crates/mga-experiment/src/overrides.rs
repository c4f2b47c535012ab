//! What is laid over an experiment file from outside: environment variables and `--set`.

use super::defaults::Defaults;
use super::layer::ENVIRONMENT_PREFIX;

/// Settings from outside the experiment file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Environment variables, name and value; those that do not begin with `MGA__` are ignored.
    pub environment: Vec<(String, String)>,
    /// `--set` arguments: `KEY=VALUE`.
    pub set: Vec<String>,
    /// The weights that the experiment starts from have been read long ago, as in a run with a checkpoint: they may be
    /// gone.
    pub weights_read: bool,
    /// The defaults of files that are written by hand. A sweep that an earlier release began keeps its own.
    pub defaults: Defaults,
}

impl Overrides {
    /// Collects the environment of the process and the given `--set` arguments.
    #[must_use]
    pub fn from_process(set: Vec<String>) -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let environment = std::env::vars_os()
            .map(|(name, value)| (text(name), text(value)))
            .filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX))
            .collect();
        Self { environment, set, ..Self::default() }
    }
}
