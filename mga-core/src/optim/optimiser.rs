//! What every optimiser does.

use std::collections::HashMap;

use candle_core::Tensor;

use crate::error::Result;
use crate::parameter::{ParameterId, ParameterStore};

/// An optimiser, which moves parameters along their gradients.
pub trait Optimiser: Send {
    /// Takes one step on the parameters that have a gradient. The others, frozen ones among them, stay as they are, without
    /// weight decay too. `factor` multiplies every learning rate: [`super::Schedule::factor`].
    ///
    /// On the CPU parameters change in place, so a tensor got from [`crate::parameter::Parameter::tensor`] before the
    /// step shows the new numbers after it; `copy()` what must stay. Tensors that were put into the store by `set`
    /// before a parameter's first step are left alone.
    fn step(&mut self, store: &ParameterStore, gradients: &[(ParameterId, Tensor)], factor: f64) -> Result<()>;

    /// Copies what the next step depends on beside parameters and gradients, by name, for a checkpoint.
    fn state(&self) -> Result<Vec<(String, Tensor)>>;

    /// Takes up a saved state; the next step is the same to the bit as it would have been without saving. Entries of
    /// `state` that belong to no optimiser are ignored, so a whole checkpoint may be given.
    ///
    /// # Errors
    /// State of another optimiser, of unknown parameters, of another shape or type; nothing is changed then.
    fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()>;
}
