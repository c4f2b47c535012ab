//! Errors of the engine.

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Tensors whose shapes do not fit an operator.
    #[error("{op}: {what}")]
    Shape {
        /// The operator.
        op: &'static str,
        /// Which shapes came and which were expected.
        what: String,
    },
    /// A setting of an experiment that cannot be used.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// Settings that an operator, optimiser or schedule cannot use.
    #[error("{0}")]
    Settings(String),
    /// Weights that do not fit the model.
    #[error("{0}")]
    Weights(String),
    /// An error of candle.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// An error of the safetensors format.
    #[error(transparent)]
    Safetensors(#[from] safetensors::SafeTensorError),
}

/// A setting of an experiment that cannot be used, by its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {what}")]
pub struct InvalidSetting {
    /// The key as it is written in TOML, from the top of the experiment: `optimiser.learning_rates."layer1.0"`.
    pub key: String,
    /// The problem with the setting, without its key.
    pub what: String,
}

impl From<mga_registry::SettingFault> for Error {
    fn from(fault: mga_registry::SettingFault) -> Self {
        Self::setting(fault.key, fault.what)
    }
}

impl Error {
    /// Creates an error about shapes that do not fit `op`.
    pub fn shape(op: &'static str, what: impl Into<String>) -> Self {
        Self::Shape { op, what: what.into() }
    }

    /// Creates an error about the setting `key` of an experiment.
    pub fn setting(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Setting(InvalidSetting { key: key.into(), what: what.into() })
    }

    /// Returns the key of the setting at fault, if it is a setting of an experiment.
    pub fn invalid_setting(&self) -> Option<&InvalidSetting> {
        match self {
            Self::Setting(setting) => Some(setting),
            _ => None,
        }
    }

    /// Creates an error about settings that cannot be used.
    pub fn settings(what: impl Into<String>) -> Self {
        Self::Settings(what.into())
    }
}
