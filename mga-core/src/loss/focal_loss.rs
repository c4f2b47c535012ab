//! Focal loss of class scores: images that are told well count less (Lin et al. 2017, arXiv:1708.02002).

use candle_core::{D, Device, Tensor};

use super::targets::{Distribution, Targets};
use crate::error::{Error, Result};
use crate::ops::precision::widened;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// The least probability that a class is missed by, so that a power of it stays finite.
const LEAST: f64 = 1e-12;

/// Computes the focal loss of class scores `[N, classes]`, averaged over the images.
///
/// ```text
/// -sum_n sum_c w[c] target[n, c] (1 - p[n, c])^gamma log p[n, c] / count      p = softmax(logits)
/// ```
///
/// `count` is the number of images; of labels with weights it is the sum of the labels' weights, as in
/// [`super::weighted_cross_entropy`], which this is for `gamma` 0. The paper's alpha are the weights.
///
/// `f16` and `bf16`: computed and returned in `f32`; the gradient is rounded to the type of the logits.
///
/// # Errors
/// As [`super::cross_entropy_of`]; a `gamma` that is negative or not finite.
pub fn focal_loss(
    tape: &mut Tape,
    logits: Value,
    targets: Targets<'_>,
    gamma: f64,
    weights: Option<&[f64]>,
) -> Result<Value> {
    if !gamma.is_finite() || gamma < 0.0 {
        return Err(Error::settings(format!("the gamma of the focal loss must be at least 0, got {gamma}")));
    }
    let (n, classes) = logits.tensor().dims2()?;
    let Distribution { rows, count, .. } = targets.distribution("focal_loss", (n, classes), 0.0, weights)?;
    let like = &widened(logits.tensor())?;
    let target =
        Tensor::from_vec(rows, (n, classes), &Device::Cpu)?.to_dtype(like.dtype())?.to_device(like.device())?;
    let shifted = like.broadcast_sub(&like.max_keepdim(D::Minus1)?)?;
    let log = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    let p = log.exp()?;
    let missed = p.affine(-1.0, 1.0)?.maximum(LEAST)?;
    let modulation = missed.powf(gamma)?;
    let loss = ((&modulation * &log)?.mul(&target)?.sum_all()? * (-1.0 / count))?;
    let attributes = || vec![("gamma", gamma.into()), ("class_weights", weights.unwrap_or_default().to_vec().into())];
    let (slot, dtype) = (logits.slot(), logits.tensor().dtype());
    Ok(tape.record(Operator::with("focal_loss", &attributes), &[&logits], loss, move |dy, gradients| {
        // By log p of each class: target (gamma (1 - p)^(gamma - 1) p log p - (1 - p)^gamma).
        let slope = ((((&modulation / &missed)? * &p)? * &log)? * gamma)?;
        let by_log = ((slope - &modulation)? * &target)?;
        let dx = (&by_log - p.broadcast_mul(&by_log.sum_keepdim(D::Minus1)?)?)?;
        // Multiplied where it lies: reading it would make the host wait for the GPU.
        let dx = dx.broadcast_mul(&(dy.tensor() / count)?)?;
        gradients.add(slot, Gradient::new(dx.to_dtype(dtype)?))
    }))
}

#[cfg(test)]
mod tests {
    use super::super::cross_entropy::cross_entropy_of;
    use super::*;
    use crate::gradient_check::{check, check_half};

    const LABELS: [u32; 3] = [4, 0, 2];
    const WEIGHTS: [f64; 5] = [0.5, 2.0, 1.0, 0.0, 3.0];

    #[test]
    fn gradients_are_right() {
        for gamma in [0.0, 0.5, 1.0, 2.0, 5.0] {
            for weights in [None, Some(WEIGHTS.as_slice())] {
                check(&[&[3, 5]], |tape, v| focal_loss(tape, v[0].clone(), Targets::Labels(&LABELS), gamma, weights));
            }
        }
        check_half(&[&[3, 5]], |tape, v| focal_loss(tape, v[0].clone(), Targets::Labels(&LABELS), 2.0, None));
        let shares = Tensor::new(&[[0.25, 0.75], [0.5, 0.5]], &Device::Cpu).unwrap();
        check(&[&[2, 2]], |tape, v| focal_loss(tape, v[0].clone(), Targets::Soft(&shares), 2.0, None));
    }

    fn loss(logits: &[[f64; 2]; 2], gamma: f64, weights: Option<&[f64]>) -> Result<f64> {
        let mut tape = Tape::eval();
        let logits = tape.constant(&Tensor::new(logits, &Device::Cpu)?)?;
        Ok(focal_loss(&mut tape, logits, Targets::Labels(&[0, 1]), gamma, weights)?.tensor().to_vec0()?)
    }

    #[test]
    fn the_formula_by_hand() -> Result<()> {
        // In PyTorch: ce = cross_entropy(x, y, weight=w, reduction="none"); p = softmax(x)[y];
        // ((1 - p) ** gamma * ce).sum() / w[y].sum(). Probabilities (1/2, 1/2) and (3/4, 1/4), of which 1/2 and 1/4 are right.
        let logits = [[0.0, 0.0], [3f64.ln(), 0.0]];
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        let (ln2, ln4) = (2f64.ln(), 4f64.ln());
        near(loss(&logits, 2.0, None)?, (0.25 * ln2 + 0.5625 * ln4) / 2.0);
        near(loss(&logits, 2.0, Some(&[1.0, 3.0]))?, (0.25 * ln2 + 3.0 * 0.5625 * ln4) / 4.0);
        near(loss(&logits, 0.5, None)?, (0.5f64.sqrt() * ln2 + 0.75f64.sqrt() * ln4) / 2.0);
        Ok(())
    }

    #[test]
    fn without_gamma_it_is_the_cross_entropy() -> Result<()> {
        let logits = Tensor::new(&[[0.5, -1.0], [2.0, 0.25]], &Device::Cpu)?;
        let mut tape = Tape::eval();
        let value = tape.constant(&logits)?;
        let entropy = cross_entropy_of(&mut tape, value, Targets::Labels(&[0, 1]), 0.0, Some(&[1.0, 3.0]))?;
        let focal = loss(&[[0.5, -1.0], [2.0, 0.25]], 0.0, Some(&[1.0, 3.0]))?;
        assert!((entropy.tensor().to_vec0::<f64>()? - focal).abs() < 1e-14);
        Ok(())
    }

    #[test]
    fn scores_that_are_sure_stay_finite() -> Result<()> {
        for gamma in [0.0, 0.5, 2.0] {
            let mut tape = Tape::train(0, 0);
            let x = tape.variable(&Tensor::new(&[[1000f32, -1000.0], [1000.0, -1000.0]], &Device::Cpu)?)?;
            let loss = focal_loss(&mut tape, x.clone(), Targets::Labels(&[0, 1]), gamma, None)?;
            assert_eq!(loss.tensor().to_vec0::<f32>()?, 1000.0);
            let dx = tape.backward(&loss, 1.0)?.take(&x).map(|dx| dx.flatten_all()?.to_vec1::<f32>()).transpose()?;
            assert!(dx.is_some_and(|dx| dx.iter().all(|value| value.is_finite())), "{gamma}");
        }
        assert!(loss(&[[0.0, 0.0]; 2], -1.0, None).unwrap_err().to_string().contains("gamma"));
        Ok(())
    }
}
