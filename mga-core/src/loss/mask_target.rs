//! The target of a network's attention, made from masks.

use candle_core::{DType, Tensor};

use super::mean_squared_error::{mean_squared_error, weighted_mean_squared_error};
use crate::error::{Error, Result};
use crate::ops;
use crate::ops::precision::widened;
use crate::tape::{Tape, Value};

/// The target of the attention of a batch, computed from its masks (Wang, Yu, Gao 2021).
///
/// ```text
/// P = adaptive average pool of M to h x w      (bin i spans floor(i H/h) to ceil((i+1) H/h), unweighted)
/// T = (P + 1e-12) / max(P + 1e-12)             (each image over its own maximum)
/// ```
///
/// A mask of zeros therefore becomes a target of ones, as in the authors' code; [`MaskTarget::blank`] names those images.
#[derive(Debug, Clone)]
pub struct MaskTarget {
    /// The target `T`, `[N, 1, h, w]` in 0 to 1, in the type and on the device of the masks.
    pub target: Tensor,
    /// Whether each image's mask is 0 in every cell.
    pub blank: Vec<bool>,
    /// The share of each cell that counts, `[N, 1, h, w]` in 0 to 1; `None` where every pixel counts.
    pub shares: Option<Tensor>,
}

impl MaskTarget {
    /// Makes the target for an attention of `h` x `w` cells from `masks` `[N, 1, H, W]`.
    ///
    /// `counted` `[N, 1, H, W]` is 1 where a pixel counts and 0 where it is ignored; `None`: every pixel counts. A cell is
    /// then the mean of those pixels in it that count. `f16` and `bf16` are computed in `f32`, for 1e-12 is 0 in `f16`.
    ///
    /// Which masks are blank is read on the host. It waits for no device where the masks lie on the CPU.
    ///
    /// # Errors
    /// Masks of another shape, or of another one than `counted`.
    pub fn of(masks: &Tensor, counted: Option<&Tensor>, (h, w): (usize, usize)) -> Result<Self> {
        if masks.dims4()?.1 != 1 {
            return Err(Error::shape("mask_target", format!("masks must be [N, 1, H, W], got {:?}", masks.dims())));
        }
        let Some(counted) = counted else {
            let (target, blank) = over_its_maximum(&ops::adaptive_average(&widened(masks)?, (h, w))?)?;
            return Ok(Self { target: target.to_dtype(masks.dtype())?, blank, shares: None });
        };
        if masks.dims() != counted.dims() {
            let what = format!("masks {:?} and what counts of them {:?}", masks.dims(), counted.dims());
            return Err(Error::shape("mask_target", what));
        }
        let (values, counted) = (widened(masks)?, widened(counted)?);
        let shares = ops::adaptive_average(&counted, (h, w))?;
        let averaged = ops::adaptive_average(&(values * &counted)?, (h, w))?;
        // Where nothing counts both are 0, and so is what stands there.
        let averaged = (averaged / shares.maximum(f32::MIN_POSITIVE)?)?;
        let (target, blank) = over_its_maximum(&averaged)?;
        let dtype = masks.dtype();
        Ok(Self { target: target.to_dtype(dtype)?, blank, shares: Some(shares.to_dtype(dtype)?) })
    }

    /// Computes the mean squared error of `attention` `[N, 1, h, w]` over the images with `used`.
    ///
    /// ```text
    /// sum c (A - T)^2 / sum c      (c: the share of a cell that counts in a used image, 0 in the others)
    /// ```
    ///
    /// The error is a scalar on the attention's device, and 0 where nothing counts.
    ///
    /// # Errors
    /// An attention of another size; not one `used` an image.
    pub fn squared_error(&self, tape: &mut Tape, attention: Value, used: &[bool]) -> Result<Value> {
        let target = self.target.to_device(attention.tensor().device())?;
        let Some(shares) = &self.shares else {
            return mean_squared_error(tape, attention, &target, used);
        };
        if shares.dim(0)? != used.len() {
            let what = format!("{} images, of which {} are used or not", shares.dim(0)?, used.len());
            return Err(Error::shape("mask_target", what));
        }
        let used: Vec<f32> = used.iter().map(|&used| f32::from(u8::from(used))).collect();
        let used = Tensor::new(used, shares.device())?.reshape(((), 1, 1, 1))?.to_dtype(shares.dtype())?;
        weighted_mean_squared_error(tape, attention, &target, &shares.broadcast_mul(&used)?)
    }
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
    use candle_core::Device;

    use super::*;

    fn flat(tensor: &Tensor) -> Result<Vec<f32>> {
        Ok(tensor.flatten_all()?.to_vec1::<f32>()?)
    }

    #[test]
    fn a_blank_mask_asks_for_attention_everywhere() -> Result<()> {
        let masks = Tensor::from_vec(
            [vec![0f32; 16], (0..16).map(|i| if i < 2 { 1.0 } else { 0.0 }).collect()].concat(),
            (2, 1, 4, 4),
            &Device::Cpu,
        )?;
        let found = MaskTarget::of(&masks, None, (2, 2))?;
        assert_eq!(found.blank, [true, false]);
        let rows = found.target.reshape((2, 4))?.to_vec2::<f32>()?;
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
        let counted = four(&[1., 0., 0., 0., 1., 0., 0., 0., 1., 1., 1., 1., 1., 1., 1., 1.])?;
        let found = MaskTarget::of(&masks, Some(&counted), (2, 2))?;
        let values = flat(&found.target)?;
        assert!(values[0] == 1.0 && values[2] == 0.25 && values[1] < 1e-11 && values[3] < 1e-11, "{values:?}");
        let shares = found.shares.map(|shares| flat(&shares)).transpose()?;
        assert_eq!((shares, found.blank), (Some(vec![0.5, 0.0, 1.0, 1.0]), vec![false]));
        // Where all count, nothing changes, to the bit.
        let all = MaskTarget::of(&masks, Some(&masks.ones_like()?), (3, 2))?;
        assert_eq!(flat(&all.target)?, flat(&MaskTarget::of(&masks, None, (3, 2))?.target)?);
        let none = MaskTarget::of(&masks, Some(&masks.zeros_like()?), (2, 2))?;
        let shares = none.shares.map(|shares| flat(&shares)).transpose()?;
        assert_eq!((flat(&none.target)?, none.blank, shares), (vec![1.0; 4], vec![true], Some(vec![0.0; 4])));
        Ok(())
    }

    /// The error of an attention of one half, for masks of 2 x 2 in which NaN is ignored.
    fn error(masks: &[[f32; 4]], used: &[bool]) -> Result<f32> {
        let all = masks.concat();
        let tensor = |number: fn(f32) -> f32| {
            let values: Vec<f32> = all.iter().map(|&value| number(value)).collect();
            Tensor::from_vec(values, (masks.len(), 1, 2, 2), &Device::Cpu)
        };
        let values = tensor(|value| if value.is_nan() { 0.0 } else { value })?;
        let counted = tensor(|value| if value.is_nan() { 0.0 } else { 1.0 })?;
        let target = MaskTarget::of(&values, Some(&counted), (2, 2))?;
        let mut tape = Tape::eval();
        let attention = tape.constant(&(values.ones_like()? * 0.5)?)?;
        Ok(target.squared_error(&mut tape, attention, used)?.tensor().to_vec0()?)
    }

    #[test]
    fn ignored_pixels_have_no_share_in_the_error() -> Result<()> {
        let ignored = f32::NAN;
        // One cell of 1, one of 0 and two ignored: what counts is half off everywhere.
        assert_eq!(error(&[[1.0, 0.0, ignored, ignored]], &[true])?, 0.25);
        // A cell of a quarter is a quarter off; it counts in the first and not in the second.
        assert_eq!(error(&[[1.0, 0.25, 1.0, 1.0]], &[true])?, (3.0 * 0.25 + 0.0625) / 4.0);
        assert_eq!(error(&[[1.0, 0.25, ignored, ignored]], &[true])?, (0.25 + 0.0625) / 2.0);
        // Images that are not used and images ignored altogether have none either.
        let several = [[1.0, 0.0, ignored, ignored], [0.0; 4], [ignored; 4]];
        assert_eq!(error(&several, &[true, false, true])?, 0.25);
        assert_eq!(error(&several, &[false; 3])?, 0.0);
        Ok(())
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() -> Result<()> {
        let zeros = |shape: (usize, usize, usize, usize)| Tensor::zeros(shape, DType::F32, &Device::Cpu);
        let refused = |masks: Tensor, counted: Option<Tensor>| -> String {
            MaskTarget::of(&masks, counted.as_ref(), (2, 2)).unwrap_err().to_string()
        };
        assert!(refused(zeros((1, 3, 4, 4))?, None).contains("[N, 1, H, W]"));
        assert!(refused(zeros((1, 1, 4, 4))?, Some(zeros((2, 1, 4, 4))?)).contains("what counts"));
        Ok(())
    }
}
