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
    let (_, channels, _, _) = masks.dims4()?;
    if channels != 1 {
        return Err(Error::shape("mask_target", format!("masks must be [N, 1, H, W], got {:?}", masks.dims())));
    }
    let averaged = ops::adaptive_average(&widened(masks)?, (h, w))?;
    let (target, blank) = over_its_maximum(&averaged)?;
    Ok((target.to_dtype(masks.dtype())?, blank))
}

/// [`mask_target`] of masks of which not every pixel counts: `counts` `[N, 1, H, W]` is 1 where one does and 0 where it is
/// to be ignored. A cell's target is the mean of the pixels in it that count. The third part, `[N, 1, h, w]`, is the share
/// of each cell that counts: its weight in the loss.
///
/// # Errors
/// Masks or counts of another shape.
pub fn mask_target_of_counted(
    masks: &Tensor,
    counts: &Tensor,
    (h, w): (usize, usize),
) -> Result<(Tensor, Vec<bool>, Tensor)> {
    if masks.dims() != counts.dims() || masks.dims4()?.1 != 1 {
        let what = format!("masks {:?} and counts {:?} must be [N, 1, H, W]", masks.dims(), counts.dims());
        return Err(Error::shape("mask_target_of_counted", what));
    }
    let (values, counts) = (widened(masks)?, widened(counts)?);
    let shares = ops::adaptive_average(&counts, (h, w))?;
    let averaged = ops::adaptive_average(&(values * &counts)?, (h, w))?;
    // Where nothing counts both are 0, and so is what stands there.
    let averaged = (averaged / shares.maximum(f32::MIN_POSITIVE)?)?;
    let (target, blank) = over_its_maximum(&averaged)?;
    Ok((target.to_dtype(masks.dtype())?, blank, shares.to_dtype(masks.dtype())?))
}

/// Each image over its own maximum, after 1e-12 is added, and whether that maximum was 0.
fn over_its_maximum(averaged: &Tensor) -> Result<(Tensor, Vec<bool>)> {
    let (n, _, h, w) = averaged.dims4()?;
    let flat = averaged.reshape((n, h * w))?;
    let blank = flat.max(1)?.to_dtype(DType::F64)?.to_vec1::<f64>()?.into_iter().map(|top| top <= 0.0).collect();
    // In f32, 1e-12 vanishes beside any mask that is not blank, and still saves a blank one from 0 / 0.
    let raised = (flat + 1e-12)?;
    let target = raised.broadcast_div(&raised.max_keepdim(1)?)?;
    Ok((target.reshape((n, 1, h, w))?, blank))
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
    fn pixels_that_do_not_count_have_no_say_in_the_target() -> Result<()> {
        let four = |values: &[f32; 16]| Tensor::new(values, &Device::Cpu)?.reshape((1, 1, 4, 4));
        // Cells of 2 x 2: half counted and full; all ignored; a quarter of what counts; nothing.
        let masks = four(&[1., 0., 1., 1., 1., 0., 1., 1., 1., 0., 0., 0., 0., 0., 0., 0.])?;
        let counts = four(&[1., 0., 0., 0., 1., 0., 0., 0., 1., 1., 1., 1., 1., 1., 1., 1.])?;
        let (target, blank, shares) = mask_target_of_counted(&masks, &counts, (2, 2))?;
        let flat = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let values = flat(&target)?;
        assert!(values[0] == 1.0 && values[2] == 0.25 && values[1] < 1e-11 && values[3] < 1e-11, "{values:?}");
        assert_eq!((flat(&shares)?, blank), (vec![0.5, 0.0, 1.0, 1.0], vec![false]));
        // Where all count, nothing changes, to the bit.
        let (all, _, _) = mask_target_of_counted(&masks, &masks.ones_like()?, (3, 2))?;
        assert_eq!(flat(&all)?, flat(&mask_target(&masks, (3, 2))?.0)?);
        let (ones, blank, shares) = mask_target_of_counted(&masks, &masks.zeros_like()?, (2, 2))?;
        assert_eq!((flat(&ones)?, blank, flat(&shares)?), (vec![1.0; 4], vec![true], vec![0.0; 4]));
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
