//! The spatial attention of MGA (Wang, Yu, Gao 2021). [`crate::loss::MaskGuidedLoss`] supervises it.

use crate::error::Result;
use crate::ops::{self, Conv2dSettings};
use crate::parameter::{Builder, Init, Parameter};
use crate::tape::{Tape, Value};

/// A layer that computes one attention map from features.
///
/// ```text
/// A = sigmoid(conv1x1([mean_c F ; max_c F]))      (two channels to one, mean first, no bias)
/// ```
///
/// Its parameter is `weight` `[1, 2, 1, 1]`, below the builder's place: `attention.weight` in a classifier.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use mga_core::attention::SpatialAttention;
/// use mga_core::parameter::ParameterStore;
/// use mga_core::tape::Tape;
///
/// let mut store = ParameterStore::new(7, DType::F32, &Device::Cpu);
/// let attention = SpatialAttention::new(store.root().pp("attention"))?;
///
/// let mut tape = Tape::eval();
/// let features = tape.constant(&Tensor::ones((2, 64, 14, 14), DType::F32, &Device::Cpu)?)?;
/// let map = attention.forward(&mut tape, features)?;
/// assert_eq!(map.dims(), [2, 1, 14, 14]);
/// # Ok::<(), mga_core::Error>(())
/// ```
#[derive(Debug)]
pub struct SpatialAttention {
    weight: Parameter,
}

impl SpatialAttention {
    /// Creates the attention with a weight drawn as PyTorch's convolution draws it: uniform within `1 / sqrt(2)`.
    ///
    /// # Errors
    /// A parameter of that name is there already.
    pub fn new(mut builder: Builder<'_>) -> Result<Self> {
        Ok(Self { weight: builder.weight("weight", (1, 2, 1, 1), Init::fan_in(2))? })
    }

    /// Computes the attention `A` `[N, 1, h, w]`, in 0 to 1, of features `F` `[N, C, h, w]`.
    ///
    /// # Errors
    /// Features of another rank.
    pub fn forward(&self, tape: &mut Tape, features: Value) -> Result<Value> {
        let pooled = ops::channel_mean_max(tape, features)?;
        let weight = tape.parameter(&self.weight)?;
        let scores = ops::conv2d(tape, pooled, weight, Conv2dSettings::default())?;
        ops::sigmoid(tape, scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_has_a_right_gradient() {
        crate::gradient_check::check(&[&[2, 4, 3, 2], &[1, 2, 1, 1]], |tape, v| {
            let pooled = ops::channel_mean_max(tape, v[0].clone())?;
            let scores = ops::conv2d(tape, pooled, v[1].clone(), Conv2dSettings::default())?;
            let map = ops::sigmoid(tape, scores)?;
            ops::attend(tape, v[0].clone(), map, ops::Gate::Sum { plain: 0.5, gated: 0.5 })
        });
    }
}
