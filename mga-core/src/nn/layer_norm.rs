//! Layer norm layer.

use crate::error::Result;
use crate::ops;
use crate::parameter::{Builder, Init, Parameter};
use crate::tape::{Tape, Value};

/// Normalises the last dimension of `[.., C]`; entries `weight` and `bias`, `[C]` each.
#[derive(Debug)]
pub struct LayerNorm {
    weight: Parameter,
    bias: Parameter,
    eps: f64,
}

impl LayerNorm {
    /// Creates a layer norm with weight 1 and bias 0. `eps` is added to the variance (PyTorch's default is 1e-5).
    pub fn new(mut builder: Builder<'_>, channels: usize, eps: f64) -> Result<Self> {
        Ok(Self {
            weight: builder.weight("weight", channels, Init::Constant(1.0))?,
            bias: builder.weight("bias", channels, Init::Constant(0.0))?,
            eps,
        })
    }

    /// Normalises.
    pub fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let (weight, bias) = (tape.uncast(&self.weight), tape.uncast(&self.bias));
        ops::layer_norm(tape, x, weight, bias, self.eps)
    }
}
