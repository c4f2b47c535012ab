//! Optimisers as a kind of component: an update rule is a struct of settings that builds an optimiser.

use mga_registry::{FromSettings, Kind};

use super::optimiser::Optimiser;
use super::parameters::OptimisedParameters;
use crate::error::Result;

/// The kind of component that `optimiser.name` names.
#[derive(Debug, Clone, Copy)]
pub struct Optimisers;

impl Kind for Optimisers {
    type Item = FromSettings<dyn UpdateRule>;
    const TITLE: &'static str = "optimisers";
    const KEY: &'static str = "optimiser.name";
}

/// The update rule of an optimiser: the settings that stand next to `name` in `[optimiser]`.
pub trait UpdateRule: Send + Sync {
    /// Returns the step size at the start of the schedule, of parameters without a rate of their own.
    fn learning_rate(&self) -> f64;

    /// Returns how many numbers of state the optimiser keeps for each number that it moves; `mga check` counts its memory by it.
    fn slots(&self) -> usize;

    /// Says what is wrong with the settings, beyond what their schema says.
    ///
    /// # Errors
    /// A setting out of range, at its key.
    fn check(&self) -> Result<()>;

    /// Builds the optimiser of these parameters.
    ///
    /// # Errors
    /// What the rule refuses of the parameters.
    fn build(&self, parameters: OptimisedParameters) -> Result<Box<dyn Optimiser>>;
}
