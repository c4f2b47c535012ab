//! The engine of `mga`: a reverse tape over candle tensors, operators with checked gradients, layers, losses,
//! optimisers and metrics.

pub mod attention;
pub mod cbam;
mod element;
pub mod error;
pub mod formula;
pub mod gradient_check;
mod kernels;
pub mod loss;
pub mod metrics;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod parameter;
pub mod random;
pub mod statistics;
pub mod tape;
pub mod whole_file;
pub mod wording;

pub use error::{Error, Result};

/// Raised whenever a change of the program changes the numbers of a run: results of different numerics are not mixed.
pub const NUMERICS: u32 = 1;
