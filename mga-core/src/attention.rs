//! The spatial attention of MGA and its supervision (Wang, Yu, Gao 2021).

use candle_core::{DType, Tensor};

use crate::error::{Error, Result};
use crate::ops::precision::widened;
use crate::ops::{self, Conv2dSettings};
use crate::parameter::{Builder, Init, Parameter};
use crate::tape::{Tape, Value};

/// `A = sigmoid(conv1x1([mean_c F ; max_c F]))`, two channels to one, no bias; entry `attention.weight` `[1, 2, 1, 1]`.
#[derive(Debug)]
pub struct SpatialAttention {
    weight: Parameter,
}

impl SpatialAttention {
    /// Drawn as PyTorch's convolution: uniform within `1 / sqrt(2)`.
    pub fn new(mut builder: Builder<'_>) -> Result<Self> {
        Ok(Self { weight: builder.weight("weight", (1, 2, 1, 1), Init::fan_in(2))? })
    }

    /// `F` `[N, C, h, w]` to `A` `[N, 1, h, w]` in 0 to 1.
    pub fn forward(&self, tape: &mut Tape, features: Value) -> Result<Value> {
        let pooled = ops::channel_mean_max(tape, features)?;
        let weight = tape.parameter(&self.weight);
        let scores = ops::conv2d(tape, pooled, weight, Conv2dSettings::default())?;
        ops::sigmoid(tape, scores)
    }
}

/// What the attention should be: the masks `[N, 1, H, W]` averaged to `h x w` (adaptive, unweighted), plus 1e-12, each
/// over its own maximum: `[N, 1, h, w]`. A mask of zeros therefore becomes all ones, as the authors' code has it; the
/// second part says for which images that happened. `f16` and `bf16`: computed in `f32`, for 1e-12 is 0 in `f16`.
pub fn mask_target(masks: &Tensor, (h, w): (usize, usize)) -> Result<(Tensor, Vec<bool>)> {
    let (n, channels, _, _) = masks.dims4()?;
    if channels != 1 {
        return Err(Error::shape("mask_target", format!("masks must be [N, 1, H, W], got {:?}", masks.dims())));
    }
    let averaged = ops::adaptive_average(&widened(masks)?, (h, w))?;
    let flat = averaged.reshape((n, h * w))?;
    let blank = flat.max(1)?.to_dtype(DType::F64)?.to_vec1::<f64>()?.into_iter().map(|top| top <= 0.0).collect();
    // In f32, 1e-12 vanishes beside any mask that is not blank, and still saves a blank one from 0 / 0.
    let raised = (flat + 1e-12)?;
    let target = raised.broadcast_div(&raised.max_keepdim(1)?)?;
    Ok((target.reshape((n, 1, h, w))?.to_dtype(masks.dtype())?, blank))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_blank_mask_asks_for_attention_everywhere() -> Result<()> {
        let masks = Tensor::from_vec(
            [vec![0f32; 16], (0..16).map(|i| if i < 2 { 1.0 } else { 0.0 }).collect()].concat(),
            (2, 1, 4, 4),
            &Device::Cpu,
        )?;
        let (target, blank) = mask_target(&masks, (2, 2))?;
        assert_eq!(blank, [true, false]);
        let rows = target.reshape((2, 4))?.to_vec2::<f32>()?;
        assert_eq!(rows[0], [1.0; 4]);
        assert_eq!(rows[1][0], 1.0);
        assert!(rows[1][1..].iter().all(|&v| v < 1e-11));
        Ok(())
    }

    #[test]
    fn attention_has_a_right_gradient() {
        crate::gradient_check::check(&[&[2, 4, 3, 2], &[1, 2, 1, 1]], |tape, v| {
            let pooled = ops::channel_mean_max(tape, v[0].clone())?;
            let scores = ops::conv2d(tape, pooled, v[1].clone(), Conv2dSettings::default())?;
            let map = ops::sigmoid(tape, scores)?;
            ops::attend(tape, v[0].clone(), map, ops::Attention::Residual, (0.5, 0.5))
        });
    }
}
