//! Values: tensors on a tape.

use candle_core::Tensor;

use crate::error::Result;
use crate::recorder::ValueId;

/// A tensor on the tape. Cheap to clone; drop it (or move it into an operator) to let its memory go early.
#[derive(Debug, Clone)]
pub struct Value {
    pub(super) tensor: Tensor,
    pub(super) slot: Option<Slot>,
    pub(super) id: ValueId,
}

/// The index at which the gradient of a value is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(pub(super) usize);

impl Value {
    /// Returns the numbers.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// Returns the sizes, `[N, C, H, W]` for images.
    pub fn dims(&self) -> &[usize] {
        self.tensor.dims()
    }

    /// Returns the four sizes of an image batch, `(N, C, H, W)`.
    pub fn dims4(&self) -> Result<(usize, usize, usize, usize)> {
        Ok(self.tensor.dims4()?)
    }

    /// Returns the slot of this value's gradient; `None` if the gradient is not needed.
    pub fn slot(&self) -> Option<Slot> {
        self.slot
    }

    /// Returns what a recorder knows it by; of no meaning on a tape without one.
    pub fn id(&self) -> ValueId {
        self.id
    }
}
