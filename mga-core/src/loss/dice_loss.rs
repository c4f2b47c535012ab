//! Dice loss, for segmentation of structures that cover little of an image.

use candle_core::Tensor;

use super::label_maps::LabelMaps;
use super::scaled_by::scaled_by;
use crate::error::Result;
use crate::ops::precision::widened;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Added above and below the fraction bar: a class that neither occurs nor is predicted costs nothing.
const SMOOTH: f64 = 1.0;

/// Computes the Dice loss of the classes of pixels.
///
/// ```text
/// 1 - mean_c (2 sum p_c g_c + 1) / (sum p_c + sum g_c + 1)
/// ```
///
/// `p` is `softmax(logits)` over the classes and `g` the one-hot labels; sums are over all pixels of the batch that are not
/// ignored (Milletari et al. 2016, in the soft form without squares). `logits` `[N, K, H, W]`; of `f16` and `bf16`, the
/// loss comes in `f32`.
///
/// # Errors
/// Shapes that do not fit, and a label that is neither a class nor ignored.
pub fn dice_loss(tape: &mut Tape, logits: Value, maps: LabelMaps<'_>) -> Result<Value> {
    let (dtype, like) = (logits.tensor().dtype(), &widened(logits.tensor())?);
    let (target, _) = maps.one_hot("dice_loss", like, None)?;
    let classes = like.dim(1)? as f64;
    // 1 where a pixel counts, [N, 1, H, W].
    let counted = target.sum_keepdim(1)?;
    let exponent = like.broadcast_sub(&like.max_keepdim(1)?)?.exp()?;
    let p = exponent.broadcast_div(&exponent.sum_keepdim(1)?)?;
    let over_pixels = |x: &Tensor| x.sum_keepdim(0)?.sum_keepdim(2)?.sum_keepdim(3);
    let above = ((over_pixels(&(&p * &target)?)? * 2.0)? + SMOOTH)?;
    let below = ((over_pixels(&p.broadcast_mul(&counted)?)? + over_pixels(&target)?)? + SMOOTH)?;
    let loss = (1.0 - ((&above / &below)?.sum_all()? / classes)?)?;
    let slot = logits.slot();
    Ok(tape.record(Operator::new("dice_loss"), &[&logits], loss, move |dy, gradients| {
        // d loss / d p = -(2 g below - above) / below^2 where the pixel counts; then through the softmax.
        let ratio = (&above / &below)?;
        let dp = (target * 2.0)?.broadcast_sub(&ratio)?.broadcast_div(&below)?.broadcast_mul(&counted)?;
        let dp = scaled_by(&dp, dy.tensor(), -classes)?;
        let mean = (&dp * &p)?.sum_keepdim(1)?;
        gradients.add(slot, Gradient::new((dp.broadcast_sub(&mean)? * p)?.to_dtype(dtype)?))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half, gradient};
    use candle_core::Device;

    fn maps(labels: &[u32]) -> LabelMaps<'_> {
        LabelMaps { labels, ignore: 255 }
    }

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 3, 2, 2]], |tape, v| dice_loss(tape, v[0].clone(), maps(&[0, 2, 255, 1, 1, 2, 0, 255])));
        check_half(&[&[2, 3, 2, 2]], |tape, v| dice_loss(tape, v[0].clone(), maps(&[0, 2, 255, 1, 1, 2, 0, 255])));
    }

    #[test]
    fn a_case_by_hand() -> Result<()> {
        // Two pixels that count, with p = (1/2, 1/2) and (3/4, 1/4), labelled 0 and 1, and one that is ignored.
        let logits = Tensor::new(&[[0.0, 3f64.ln(), 9.0], [0.0, 0.0, -9.0]], &Device::Cpu)?.reshape((1, 2, 1, 3))?;
        let mut tape = Tape::eval();
        let x = tape.constant(&logits)?;
        let loss = dice_loss(&mut tape, x, maps(&[0, 1, 255]))?.tensor().to_vec0::<f64>()?;
        let class_0 = (2.0 * 0.5 + 1.0) / (1.25 + 1.0 + 1.0);
        let class_1 = (2.0 * 0.25 + 1.0) / (0.75 + 1.0 + 1.0);
        assert!((loss - (1.0 - (class_0 + class_1) / 2.0)).abs() < 1e-12, "{loss}");
        for dx in gradient(&logits, |tape, x| dice_loss(tape, x, maps(&[0, 1, 255]))) {
            assert_eq!((dx[2], dx[5]), (0.0, 0.0));
        }
        Ok(())
    }

    #[test]
    fn right_is_free_and_nothing_counted_costs_nothing() -> Result<()> {
        let logits = Tensor::new(&[[90.0, -90.0], [-90.0, 90.0]], &Device::Cpu)?.reshape((1, 2, 1, 2))?;
        for labels in [[0, 1], [255, 255]] {
            let mut tape = Tape::eval();
            let x = tape.constant(&logits)?;
            assert!(dice_loss(&mut tape, x, maps(&labels))?.tensor().to_vec0::<f64>()?.abs() < 1e-12);
        }
        Ok(())
    }
}
