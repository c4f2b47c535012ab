//! Transport solvers as a kind of component.

use mga_registry::{FromSettings, Kind, Registry};
use serde_json::{Map, Value as Json};

use crate::error::Result;
use crate::tape::{Tape, Value};

/// The kind of component that `transport.name` names.
#[derive(Debug, Clone, Copy)]
pub struct TransportSolvers;

impl Kind for TransportSolvers {
    type Item = FromSettings<dyn TransportSolver>;
    const TITLE: &'static str = "transport solvers";
    const KEY: &'static str = "transport.name";
}

/// A solver of transport problems: the settings that stand beside `name` in `[transport]`.
pub trait TransportSolver: Send + Sync {
    /// Says what is wrong with the settings, beyond what their schema says.
    ///
    /// # Errors
    /// A setting out of range, at its key.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Returns whether the flow has a gradient. If it has none, the flow is a constant of the tape.
    fn is_differentiable(&self) -> bool;

    /// Solves a batch of problems: `cost` `[B, n, m]`, `supply` `[B, n]` and `demand` `[B, m]`, which add up to the same in
    /// each problem. The flow is `[B, n, m]`, on the device and of the type of the costs. It is NaN in a problem with a
    /// number that is not finite.
    ///
    /// # Errors
    /// Shapes that do not fit; a negative supply or demand; sums that differ by more than rounding.
    fn flow(&self, tape: &mut Tape, cost: Value, supply: Value, demand: Value) -> Result<Transported>;
}

/// Makes the solver `name` from its settings, which stand beside the name in `[transport]`, and checks them.
///
/// # Errors
/// A name that no solver is registered by; a setting that cannot be used, at its key.
pub fn transport_solver(
    kinds: &Registry,
    name: &str,
    settings: &Map<String, Json>,
) -> Result<Box<dyn TransportSolver>> {
    let solver = kinds.make::<TransportSolvers, _>(name, settings)?;
    solver.check()?;
    Ok(solver)
}

/// The solution of a batch of problems.
#[derive(Debug, Clone)]
pub struct Transported {
    /// What flows from each source to each target, `[B, n, m]`.
    pub flow: Value,
    /// How far the solver came.
    pub convergence: Convergence,
}

/// How far a solver came in a batch of problems.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Convergence {
    /// The most steps that a problem took: pivots, Newton steps or iterations.
    pub steps: usize,
    /// The largest difference between a supply or demand and the sum of its flows, relative to all that flows.
    pub residual: f64,
    /// The number of problems that were left before the residual was below the solver's tolerance.
    pub unconverged: usize,
}

impl Convergence {
    /// Returns how far the solver came in this and in other problems.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            steps: self.steps.max(other.steps),
            residual: self.residual.max(other.residual),
            unconverged: self.unconverged + other.unconverged,
        }
    }
}
