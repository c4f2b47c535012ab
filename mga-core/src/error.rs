//! Errors of the engine.

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in the engine.
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
    /// What is wrong with the setting, without its key.
    pub what: String,
}

impl Error {
    /// Shapes that do not fit `op`.
    pub fn shape(op: &'static str, what: impl Into<String>) -> Self {
        Self::Shape { op, what: what.into() }
    }

    /// The setting `key` of an experiment, which cannot be used.
    pub fn setting(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Setting(InvalidSetting { key: key.into(), what: what.into() })
    }

    /// The setting that is at fault, where it is one of an experiment.
    pub fn invalid_setting(&self) -> Option<&InvalidSetting> {
        match self {
            Self::Setting(setting) => Some(setting),
            _ => None,
        }
    }

    /// Settings that cannot be used.
    pub fn settings(what: impl Into<String>) -> Self {
        Self::Settings(what.into())
    }
}
