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
    /// A setting that an operator, optimiser or schedule cannot use.
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

impl Error {
    /// Shapes that do not fit `op`.
    pub fn shape(op: &'static str, what: impl Into<String>) -> Self {
        Self::Shape { op, what: what.into() }
    }

    /// Settings that cannot be used.
    pub fn settings(what: impl Into<String>) -> Self {
        Self::Settings(what.into())
    }
}
