//! The transport solvers of this crate, a line each.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::exact::ExactSettings;
use super::implicit::ImplicitSettings;
use super::sinkhorn::SinkhornSettings;
use super::solver::{TransportSolver, TransportSolvers};

/// Returns the transport solvers of this crate.
#[must_use]
pub fn transport_solvers() -> Vec<Entry<TransportSolvers>> {
    fn entry<S>(name: &str, about: &str) -> Entry<TransportSolvers>
    where
        S: TransportSolver + Serialize + DeserializeOwned + JsonSchema + 'static,
    {
        Entry::<TransportSolvers>::from_settings(name, about, |settings: S| {
            Box::new(settings) as Box<dyn TransportSolver>
        })
    }
    vec![
        entry::<ExactSettings>("exact", "The optimal flow, by a network simplex; no gradient passes through it."),
        entry::<ImplicitSettings>(
            "implicit",
            "The flow of the problem with a small quadratic penalty; its gradient follows from the optimality conditions.",
        ),
        entry::<SinkhornSettings>(
            "sinkhorn",
            "The flow of the problem with an entropic penalty, by Sinkhorn's iterations (Cuturi 2013); differentiable.",
        ),
    ]
}
