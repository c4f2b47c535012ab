//! The engine of `mga`: a reverse tape over candle tensors, operators with checked gradients, layers, losses, optimal
//! transport, optimisers and metrics.

pub mod attention;
pub mod cbam;
mod element;
pub mod error;
pub mod formula;
pub mod gradient_check;
mod kernels;
pub mod loss;
pub mod matching;
pub mod metrics;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod parameter;
pub mod random;
pub mod recorder;
pub mod statistics;
pub mod tape;
pub mod transport;
pub mod whole_file;
pub mod wording;

pub use error::{Error, Result};

/// Returns the registered components of this crate: objectives, metrics, optimisers, schedules and transport solvers.
#[must_use]
pub fn components() -> mga_registry::Registry {
    register(mga_registry::Registry::default())
}

/// Registers the components of this crate.
#[must_use]
pub fn register(mut kinds: mga_registry::Registry) -> mga_registry::Registry {
    loss::objectives().into_iter().for_each(|objective| kinds.add(objective));
    loss::pixel_objectives().into_iter().for_each(|objective| kinds.add(objective));
    metrics::metrics().into_iter().for_each(|metric| kinds.add(metric));
    optim::optimisers().into_iter().for_each(|optimiser| kinds.add(optimiser));
    optim::schedules().into_iter().for_each(|schedule| kinds.add(schedule));
    transport::transport_solvers().into_iter().for_each(|solver| kinds.add(solver));
    kinds
}

/// Raised whenever a change of the program changes the numbers of a run: results of different numerics are not mixed.
pub const NUMERICS: u32 = 1;
