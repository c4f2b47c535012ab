//! Fully connected layer.

use crate::error::Result;
use crate::ops;
use crate::parameter::{Builder, Init, Parameter};
use crate::tape::{Tape, Value};

/// `[N, in]` to `[N, out]`; entries `weight` `[out, in]` and `bias` `[out]`, drawn as PyTorch's `Linear`.
#[derive(Debug)]
pub struct Linear {
    weight: Parameter,
    bias: Parameter,
}

impl Linear {
    /// Creates a linear layer whose weight and bias are uniform within `1 / sqrt(in)`.
    pub fn new(mut builder: Builder<'_>, inside: usize, outside: usize) -> Result<Self> {
        let init = Init::fan_in(inside);
        Ok(Self {
            weight: builder.weight("weight", (outside, inside), init)?,
            bias: builder.weight("bias", outside, init)?,
        })
    }

    /// Computes `x weight^T + bias`.
    pub fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let (weight, bias) = (tape.parameter(&self.weight)?, tape.parameter(&self.bias)?);
        ops::linear(tape, x, weight, bias)
    }
}
