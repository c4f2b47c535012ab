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
    ///
    /// # Errors
    /// A gradient of a parameter that the optimiser was not built with, of another shape or type.
    fn step(&mut self, store: &ParameterStore, gradients: &[(ParameterId, Tensor)], factor: f64) -> Result<()>;

    /// Takes the same step where `applies`, a `u8` scalar on the device of the parameters, is not 0. Where it is 0, parameters
    /// and the tensors of [`Self::state`] keep their numbers. `None`: it applies.
    ///
    /// The flag tells whether a loss or gradient was finite, and nothing has read it: a rule on a GPU decides there, so that
    /// the host waits for nothing. What is counted on the host counts such a step too; the run ends at it. By default the flag
    /// is read, which waits for the device, and the step is taken or not.
    ///
    /// # Errors
    /// As of [`Self::step`].
    fn step_where(
        &mut self,
        store: &ParameterStore,
        gradients: &[(ParameterId, Tensor)],
        factor: f64,
        applies: Option<&Tensor>,
    ) -> Result<()> {
        if read(applies)? { self.step(store, gradients, factor) } else { Ok(()) }
    }

    /// Copies what the next step depends on beside parameters and gradients, by name, for a checkpoint.
    fn state(&self) -> Result<Vec<(String, Tensor)>>;

    /// Takes up a saved state; the next step is the same to the bit as it would have been without saving. Entries of
    /// `state` that belong to no optimiser are ignored, so a whole checkpoint may be given.
    ///
    /// # Errors
    /// State of another optimiser, of unknown parameters, of another shape or type; nothing is changed then.
    fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()>;
}

/// `new` where the step applies, `old` where it does not, decided where they lie.
pub(super) fn chosen(applies: Option<&Tensor>, new: Tensor, old: &Tensor) -> Result<Tensor> {
    match applies {
        None => Ok(new),
        Some(applies) => Ok(applies.broadcast_as(new.shape())?.where_cond(&new, old)?),
    }
}

/// Whether a step applies, as the host reads it: of its own memory, that costs nothing.
pub(super) fn read(applies: Option<&Tensor>) -> Result<bool> {
    Ok(applies.map(Tensor::to_vec0::<u8>).transpose()?.is_none_or(|applies| applies != 0))
}
