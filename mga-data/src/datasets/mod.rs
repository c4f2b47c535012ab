//! The data sets, one a file.

#[cfg(feature = "candle-datasets")]
pub mod candle;
pub mod leaves;
