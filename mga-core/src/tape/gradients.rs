//! Gradients: on their way back, and afterwards.

use std::rc::Rc;

use candle_core::{DType, Tensor};

use super::value::{Slot, Value};
use crate::element::{Element, has_kernels, modify, read, with_element};
use crate::error::{Error, Result};
use crate::parameter::ParameterId;

/// A gradient, perhaps shared with another slot.
#[derive(Debug, Clone)]
pub struct Gradient(Rc<Tensor>);

impl Gradient {
    /// Takes over a contiguous tensor that nobody else holds.
    pub fn new(tensor: Tensor) -> Self {
        Self(Rc::new(tensor))
    }

    /// Returns the numbers.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// Returns the tensor itself where nobody shares it, so that it may be changed in place; otherwise the gradient back.
    pub fn into_unique(self) -> std::result::Result<Tensor, Self> {
        Rc::try_unwrap(self.0).map_err(Self)
    }

    /// The tensor, to change in place; a copy of it where somebody shares it.
    ///
    /// # Errors
    /// A copy that its device has no room for.
    pub(crate) fn into_owned(self) -> Result<Tensor> {
        match self.into_unique() {
            Ok(tensor) => Ok(tensor),
            Err(shared) => Ok(shared.tensor().copy()?),
        }
    }
}

/// Gradients on their way back, and afterwards those of the parameters and variables.
pub struct Gradients {
    slots: Vec<Option<Gradient>>,
    parameters: Vec<(ParameterId, Slot)>,
    /// Slots of parameters whose gradient was told to be complete.
    complete: Vec<bool>,
}

impl Gradients {
    /// None yet, of so many slots.
    pub(super) fn none(slots: usize, parameters: Vec<(ParameterId, Slot)>) -> Self {
        let mut none = Self { slots: vec![], parameters, complete: vec![false; slots] };
        none.slots.resize_with(slots, || None);
        none
    }

    /// Takes what has come to a value.
    pub(super) fn take_slot(&mut self, slot: Slot) -> Option<Gradient> {
        self.slots[slot.0].take()
    }

    /// Closes the slot of a parameter, and returns its gradient if there is one.
    pub(super) fn close(&mut self, slot: Slot) -> Option<&Tensor> {
        self.complete[slot.0] = true;
        self.slots[slot.0].as_ref().map(Gradient::tensor)
    }

    /// Refuses a gradient that comes to a parameter which was told to be complete.
    fn open(&self, slot: Slot) -> Result<()> {
        if self.complete[slot.0] {
            let what = "a gradient came to a parameter after its last use; `Tape::record` is given every value whose slot \
                        the way back adds to";
            return Err(Error::shape("backward", what));
        }
        Ok(())
    }

    /// Adds a gradient to a slot; moved in where it is the first. Nothing happens where `slot` is `None`.
    pub fn add(&mut self, slot: Option<Slot>, gradient: Gradient) -> Result<()> {
        let Some(slot) = slot else { return Ok(()) };
        self.open(slot)?;
        let sum = match self.slots[slot.0].take() {
            None => gradient,
            Some(present) => sum(present, gradient)?,
        };
        self.slots[slot.0] = Some(sum);
        Ok(())
    }

    /// Lets a kernel write a gradient straight into the slot. The buffer holds what is there already, or zeros; the
    /// kernel adds to it, and may overwrite where its second argument (fresh) is true.
    pub(crate) fn accumulate<T: Element>(
        &mut self,
        slot: Slot,
        dims: &[usize],
        kernel: impl FnOnce(&mut [T], bool),
    ) -> Result<()> {
        self.accumulate_in(slot, dims, |values| match values {
            Some(values) => {
                kernel(values, false);
                None
            }
            None => {
                let mut values = crate::element::zeros::<T>(dims.iter().product());
                kernel(&mut values, true);
                Some(values)
            }
        })
    }

    /// The same for a kernel that makes the first gradient itself: it gets what is there to add to, or gives a new one.
    pub(crate) fn accumulate_in<T: Element>(
        &mut self,
        slot: Slot,
        dims: &[usize],
        kernel: impl FnOnce(Option<&mut [T]>) -> Option<Vec<T>>,
    ) -> Result<()> {
        self.open(slot)?;
        let present = match self.slots[slot.0].take() {
            None => None,
            Some(gradient) => Some(match gradient.into_unique() {
                Ok(tensor) => tensor,
                Err(shared) => shared.tensor().copy()?,
            }),
        };
        let tensor = match present {
            Some(tensor) => {
                modify::<T, _>(&tensor, |values| kernel(Some(values)))?;
                tensor
            }
            None => match kernel(None) {
                Some(values) => crate::element::tensor(values, dims)?,
                None => return Err(Error::shape("accumulate", "the kernel gave no gradient")),
            },
        };
        self.slots[slot.0] = Some(Gradient::new(tensor));
        Ok(())
    }

    /// Returns the gradient of a variable, or of any value that was kept.
    pub fn take(&mut self, value: &Value) -> Option<Tensor> {
        let slot = value.slot()?;
        self.slots[slot.0].take().map(|gradient| gradient.tensor().clone())
    }

    /// Returns the gradients of the parameters that took part, by parameter.
    pub fn into_parameters(mut self) -> Vec<(ParameterId, Tensor)> {
        let slots = &mut self.slots;
        self.parameters
            .iter()
            .filter_map(|(id, slot)| slots[slot.0].take().map(|gradient| (*id, gradient.tensor().clone())))
            .collect()
    }
}

/// Adds two gradients, in place where one of them is not shared.
fn sum(a: Gradient, b: Gradient) -> Result<Gradient> {
    let (target, other) = match a.into_unique() {
        Ok(a) => (a, b),
        Err(a) => match b.into_unique() {
            Ok(b) => (b, a),
            Err(b) => return Ok(Gradient::new((a.tensor() + b.tensor())?)),
        },
    };
    Ok(Gradient::new(add_in_place(target, other.tensor())?))
}

/// `target += other`, in place on the CPU.
fn add_in_place(target: Tensor, other: &Tensor) -> Result<Tensor> {
    if !has_kernels(&target) || target.dtype() == DType::F64 && other.dtype() != DType::F64 {
        return Ok((target + other)?);
    }
    with_element!(target, T => {
        let other = other.contiguous()?;
        read::<T, _>(&other, |other| modify::<T, _>(&target, |values| crate::kernels::elementwise::add_assign(values, other)))??
    });
    Ok(target)
}
