//! Cross entropy of every pixel, for segmentation.

use super::label_maps::LabelMaps;
use super::scaled_by::scaled_by;
use crate::error::Result;
use crate::ops::precision::widened;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Computes the cross entropy of every pixel, averaged over those that are not ignored.
///
/// ```text
/// sum w[y] (-log softmax(logits)[y]) / sum w[y]
/// ```
///
/// It is PyTorch's `CrossEntropyLoss` with `weight` and `ignore_index`, but 0, not NaN, where every pixel is ignored.
/// `logits` `[N, K, H, W]`; `weights`: one for each class, `None`: ones. Of `f16` and `bf16`, the loss comes in `f32`.
///
/// # Errors
/// Shapes that do not fit, and a label that is neither a class nor ignored.
pub fn pixel_cross_entropy(
    tape: &mut Tape,
    logits: Value,
    maps: LabelMaps<'_>,
    weights: Option<&[f64]>,
) -> Result<Value> {
    let (dtype, like) = (logits.tensor().dtype(), &widened(logits.tensor())?);
    let (target, sum) = maps.one_hot("pixel_cross_entropy", like, weights)?;
    let sum = if sum > 0.0 { sum } else { 1.0 };
    let shifted = like.broadcast_sub(&like.max_keepdim(1)?)?;
    let log = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(1)?.log()?)?;
    let loss = ((&log * &target)?.sum_all()? * (-1.0 / sum))?;
    let slot = logits.slot();
    Ok(tape.record(Operator::new("pixel_cross_entropy"), &[&logits], loss, move |dy, gradients| {
        // The weight of a pixel is that of its class; ignored pixels have none.
        let weight = target.sum_keepdim(1)?;
        let dx = scaled_by(&(log.exp()?.broadcast_mul(&weight)? - target)?, dy.tensor(), sum)?;
        gradients.add(slot, Gradient::new(dx.to_dtype(dtype)?))
    }))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::gradient_check::{check, check_half, gradient};

    const IGNORE: u32 = 255;

    fn maps(labels: &[u32]) -> LabelMaps<'_> {
        LabelMaps { labels, ignore: IGNORE }
    }

    #[test]
    fn gradients_are_right() {
        let labels = [0, 2, IGNORE, 1, 1, 2, 0, IGNORE];
        for weights in [None, Some([0.5, 2.0, 1.0])] {
            check(&[&[2, 3, 2, 2]], |tape, v| {
                pixel_cross_entropy(tape, v[0].clone(), maps(&labels), weights.as_ref().map(|w| &w[..]))
            });
            check_half(&[&[2, 3, 2, 2]], |tape, v| {
                pixel_cross_entropy(tape, v[0].clone(), maps(&labels), weights.as_ref().map(|w| &w[..]))
            });
        }
    }

    fn loss(logits: &[[f64; 3]; 2], labels: &[u32], weights: Option<&[f64]>) -> Result<f64> {
        let x = Tensor::new(logits, &Device::Cpu)?.reshape((1, 2, 1, 3))?;
        let mut tape = Tape::eval();
        let x = tape.constant(&x)?;
        Ok(pixel_cross_entropy(&mut tape, x, maps(labels), weights)?.tensor().to_vec0()?)
    }

    #[test]
    fn a_case_by_hand() -> Result<()> {
        // Pixels with probabilities (1/2, 1/2), (3/4, 1/4) and one that is ignored.
        let logits = [[0.0, 3f64.ln(), 9.0], [0.0, 0.0, -9.0]];
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        near(loss(&logits, &[0, 1, IGNORE], None)?, (2f64.ln() + 4f64.ln()) / 2.0);
        // Weighted: (1 log 2 + 3 log 4) / 4.
        near(loss(&logits, &[0, 1, IGNORE], Some(&[1.0, 3.0]))?, (2f64.ln() + 3.0 * 4f64.ln()) / 4.0);
        near(loss(&logits, &[IGNORE; 3], None)?, 0.0);
        Ok(())
    }

    #[test]
    fn ignored_pixels_have_no_gradient_and_scores_may_be_large() -> Result<()> {
        let x = Tensor::new(&[[1000f64, 5.0], [-1000.0, 7.0]], &Device::Cpu)?.reshape((1, 2, 1, 2))?;
        for dx in gradient(&x, |tape, x| pixel_cross_entropy(tape, x, maps(&[1, IGNORE]), None)) {
            assert_eq!(dx, [1.0, 0.0, -1.0, 0.0]);
        }
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |labels: &[u32], weights: Option<&[f64]>| loss(&[[0.0; 3]; 2], labels, weights).unwrap_err();
        assert!(refused(&[0, 1, 2], None).to_string().contains("label 2 with 2 classes"));
        assert!(refused(&[0, 1], None).to_string().contains("2 labels"));
        assert!(refused(&[0, 1, 1], Some(&[1.0])).to_string().contains("1 class weights"));
    }
}
