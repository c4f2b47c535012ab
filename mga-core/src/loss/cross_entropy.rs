//! Cross entropy of class scores and labels.

use candle_core::{D, Device, Tensor};

use crate::error::{Error, Result};
use crate::ops::precision::widened;
use crate::tape::{Gradient, Tape, Value};

/// Computes the cross entropy of class scores and labels, averaged over the images.
///
/// ```text
/// -mean_n sum_c target[n, c] log_softmax(logits)[n, c]
/// ```
///
/// `logits` `[N, classes]`, `labels` `N` indices. The target is `1 - s + s / classes` at the label and `s / classes`
/// elsewhere, `s` the label smoothing (Szegedy et al. 2016, as PyTorch's `label_smoothing`).
///
/// `f16` and `bf16`: computed and returned in `f32`; the gradient is rounded to the type of the logits.
///
/// # Errors
/// Shapes that do not fit, a label that is no class, a smoothing outside 0 to 1.
pub fn cross_entropy(tape: &mut Tape, logits: Value, labels: &[u32], smoothing: f64) -> Result<Value> {
    weighted_cross_entropy(tape, logits, labels, smoothing, None)
}

/// Computes the cross entropy with a weight for each class, as PyTorch's `CrossEntropyLoss` with `weight`.
///
/// ```text
/// -sum_n sum_c w[c] target[n, c] log_softmax(logits)[n, c] / sum_n w[label n]
/// ```
///
/// Shapes and target are those of [`cross_entropy`]. `weights`: one for each class; `None`: ones. The loss is 0, not NaN,
/// where every label of the batch weighs 0.
///
/// # Errors
/// As [`cross_entropy`]; weights that are negative, not finite or not one for each class.
pub fn weighted_cross_entropy(
    tape: &mut Tape,
    logits: Value,
    labels: &[u32],
    smoothing: f64,
    weights: Option<&[f64]>,
) -> Result<Value> {
    let (n, classes) = logits.tensor().dims2()?;
    if labels.len() != n || n == 0 {
        return Err(Error::shape("cross_entropy", format!("{} labels for logits {:?}", labels.len(), logits.dims())));
    }
    if let Some(label) = labels.iter().find(|&&label| label as usize >= classes) {
        return Err(Error::shape("cross_entropy", format!("label {label} with {classes} classes")));
    }
    if !(0.0..=1.0).contains(&smoothing) {
        return Err(Error::settings(format!("label smoothing must lie in 0 to 1, got {smoothing}")));
    }
    let mut target = vec![smoothing / classes as f64; n * classes];
    for (row, &label) in target.chunks_exact_mut(classes).zip(labels) {
        row[label as usize] += 1.0 - smoothing;
    }
    let count = match weights {
        None => n as f64,
        Some(weights) => weigh(&mut target, labels, classes, weights)?,
    };
    let like = &widened(logits.tensor())?;
    let target =
        Tensor::from_vec(target, (n, classes), &Device::Cpu)?.to_dtype(like.dtype())?.to_device(like.device())?;
    let shifted = like.broadcast_sub(&like.max_keepdim(D::Minus1)?)?;
    let log = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    let loss = ((&log * &target)?.sum_all()? * (-1.0 / count))?;
    let (slot, dtype, weighted) = (logits.slot(), logits.tensor().dtype(), weights.is_some());
    Ok(tape.record(&[&logits], loss, move |dy, gradients| {
        let likelihoods = log.exp()?;
        // Without weights every row of the target sums to 1.
        let likelihoods =
            if weighted { likelihoods.broadcast_mul(&target.sum_keepdim(D::Minus1)?)? } else { likelihoods };
        // Multiplied where it lies: reading it would make the host wait for the GPU.
        let dx = (likelihoods - target)?.broadcast_mul(&(dy.tensor() / count)?)?;
        gradients.add(slot, Gradient::new(dx.to_dtype(dtype)?))
    }))
}

/// Multiplies every column of `target` `[N, classes]` by its class's weight; gives the sum of the labels' weights, which the
/// loss is divided by. Where that is 0, so is the target.
fn weigh(target: &mut [f64], labels: &[u32], classes: usize, weights: &[f64]) -> Result<f64> {
    if weights.len() != classes {
        return Err(Error::shape("cross_entropy", format!("{} class weights for {classes} classes", weights.len())));
    }
    if let Some(weight) = weights.iter().find(|weight| !weight.is_finite() || **weight < 0.0) {
        return Err(Error::settings(format!("class weights must be at least 0 and finite, got {weight}")));
    }
    let sum: f64 = labels.iter().map(|&label| weights[label as usize]).sum();
    if sum == 0.0 {
        target.fill(0.0);
        return Ok(1.0);
    }
    for row in target.chunks_exact_mut(classes) {
        row.iter_mut().zip(weights).for_each(|(target, weight)| *target *= weight);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};
    use candle_core::DType;

    #[test]
    fn gradients_are_right() {
        for smoothing in [0.0, 0.1] {
            check(&[&[3, 5]], |tape, v| cross_entropy(tape, v[0].clone(), &[4, 0, 2], smoothing));
            check_half(&[&[3, 5]], |tape, v| cross_entropy(tape, v[0].clone(), &[4, 0, 2], smoothing));
            let weights = [0.5, 2.0, 1.0, 0.0, 3.0];
            let weighted = |tape: &mut Tape, v: &[Value]| {
                weighted_cross_entropy(tape, v[0].clone(), &[4, 0, 2], smoothing, Some(&weights))
            };
            check(&[&[3, 5]], weighted);
            check_half(&[&[3, 5]], weighted);
        }
    }

    fn weighted(labels: &[u32], smoothing: f64, weights: Option<&[f64]>) -> Result<f64> {
        // Two images with probabilities (1/2, 1/2) and (3/4, 1/4).
        let logits = Tensor::new(&[[0.0, 0.0], [3f64.ln(), 0.0]], &Device::Cpu)?;
        let mut tape = Tape::eval();
        let logits = tape.constant(&logits)?;
        Ok(weighted_cross_entropy(&mut tape, logits, labels, smoothing, weights)?.tensor().to_vec0()?)
    }

    #[test]
    fn class_weights_are_pytorch_s() -> Result<()> {
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        let [ln2, ln4, ln4_3] = [2f64, 4.0, 4.0 / 3.0].map(f64::ln);
        near(weighted(&[0, 1], 0.0, None)?, (ln2 + ln4) / 2.0);
        // By the sum of the labels' weights, not by the number of images.
        near(weighted(&[0, 1], 0.0, Some(&[1.0, 3.0]))?, (ln2 + 3.0 * ln4) / 4.0);
        // CrossEntropyLoss(weight=[1, 3], label_smoothing=0.2): 0.8 of the loss above, and 0.2 of the mean over classes of
        // the weighted loss of each, divided by the same sum.
        let smooth = ((1.0 + 3.0) * ln2 + ln4_3 + 3.0 * ln4) / (2.0 * 4.0);
        near(weighted(&[0, 1], 0.2, Some(&[1.0, 3.0]))?, 0.8 * (ln2 + 3.0 * ln4) / 4.0 + 0.2 * smooth);
        // Equal weights change nothing, whatever they are.
        near(weighted(&[0, 1], 0.2, Some(&[7.0, 7.0]))?, weighted(&[0, 1], 0.2, None)?);
        near(weighted(&[0, 0], 0.2, Some(&[0.0, 3.0]))?, 0.0);
        Ok(())
    }

    #[test]
    fn weights_that_do_not_fit_are_refused() {
        let refused = |weights: &[f64]| weighted(&[0, 1], 0.0, Some(weights)).unwrap_err().to_string();
        assert!(refused(&[1.0]).contains("1 class weights for 2 classes"));
        assert!(refused(&[1.0, -1.0]).contains("at least 0"));
        assert!(refused(&[1.0, f64::NAN]).contains("finite"));
    }

    #[test]
    fn large_scores_stay_finite() -> Result<()> {
        // softmax_last_dim of candle cuts the graph, and a naive logarithm overflows.
        let mut tape = Tape::train(0, 0);
        let x = tape.variable(&Tensor::new(&[[1000f32, -1000.0, 0.0]], &Device::Cpu)?)?;
        let loss = cross_entropy(&mut tape, x.clone(), &[1], 0.0)?;
        assert_eq!(loss.tensor().to_vec0::<f32>()?, 2000.0);
        let dx = tape.backward(&loss, 1.0)?.take(&x).map(|dx| dx.to_vec2::<f32>()).transpose()?;
        assert_eq!(dx, Some(vec![vec![1.0, -1.0, 0.0]]));
        Ok(())
    }

    #[test]
    fn a_label_out_of_range_is_an_error() -> Result<()> {
        let mut tape = Tape::eval();
        let x = tape.constant(&Tensor::zeros((1, 3), DType::F32, &Device::Cpu)?)?;
        assert!(cross_entropy(&mut tape, x.clone(), &[3], 0.0).is_err());
        assert!(cross_entropy(&mut tape, x, &[u32::MAX], 0.0).is_err());
        Ok(())
    }
}
