//! Cross entropy of class scores and labels.

use candle_core::{D, Device, Tensor};

use super::targets::{Distribution, Targets};
use crate::error::Result;
use crate::ops::precision::widened;
use crate::recorder::Operator;
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
    cross_entropy_of(tape, logits, Targets::Labels(labels), smoothing, weights)
}

/// Computes the cross entropy of class scores `[N, classes]` and labels or soft labels, as PyTorch's `CrossEntropyLoss`: with
/// soft labels the sum is divided by the number of images, whatever the weights.
///
/// # Errors
/// As [`weighted_cross_entropy`]; soft labels of another shape, negative or not finite.
pub fn cross_entropy_of(
    tape: &mut Tape,
    logits: Value,
    targets: Targets<'_>,
    smoothing: f64,
    weights: Option<&[f64]>,
) -> Result<Value> {
    let (n, classes) = logits.tensor().dims2()?;
    let Distribution { rows: target, count, sums_to_one } =
        targets.distribution("cross_entropy", (n, classes), smoothing, weights)?;
    let like = &widened(logits.tensor())?;
    let target =
        Tensor::from_vec(target, (n, classes), &Device::Cpu)?.to_dtype(like.dtype())?.to_device(like.device())?;
    let shifted = like.broadcast_sub(&like.max_keepdim(D::Minus1)?)?;
    let log = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    let loss = ((&log * &target)?.sum_all()? * (-1.0 / count))?;
    let attributes =
        || vec![("label_smoothing", smoothing.into()), ("class_weights", weights.unwrap_or_default().to_vec().into())];
    let (slot, dtype) = (logits.slot(), logits.tensor().dtype());
    Ok(tape.record(Operator::with("cross_entropy", &attributes), &[&logits], loss, move |dy, gradients| {
        let likelihoods = log.exp()?;
        let likelihoods =
            if sums_to_one { likelihoods } else { likelihoods.broadcast_mul(&target.sum_keepdim(D::Minus1)?)? };
        // Multiplied where it lies: reading it would make the host wait for the GPU.
        let dx = (likelihoods - target)?.broadcast_mul(&(dy.tensor() / count)?)?;
        gradients.add(slot, Gradient::new(dx.to_dtype(dtype)?))
    }))
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
    fn soft_labels_are_pytorch_s() -> Result<()> {
        let shares = Tensor::new(&[[0.25, 0.75], [1.0, 0.0]], &Device::Cpu)?;
        let logits = Tensor::new(&[[0.0, 0.0], [3f64.ln(), 0.0]], &Device::Cpu)?;
        let loss = |shares: &Tensor, smoothing, weights: Option<&[f64]>| -> Result<f64> {
            let mut tape = Tape::eval();
            let logits = tape.constant(&logits)?;
            Ok(cross_entropy_of(&mut tape, logits, Targets::Soft(shares), smoothing, weights)?.tensor().to_vec0()?)
        };
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        let [ln2, ln4, ln4_3] = [2f64, 4.0, 4.0 / 3.0].map(f64::ln);
        near(loss(&shares, 0.0, None)?, (ln2 + ln4_3) / 2.0);
        // Divided by the images, not by weights.
        near(loss(&shares, 0.0, Some(&[1.0, 3.0]))?, ((0.25 + 0.75 * 3.0) * ln2 + ln4_3) / 2.0);
        near(loss(&shares, 0.5, None)?, (ln2 + 0.75 * ln4_3 + 0.25 * ln4) / 2.0);
        check(&[&[2, 2]], |tape, v| {
            cross_entropy_of(tape, v[0].clone(), Targets::Soft(&shares), 0.1, Some(&[1.0, 3.0]))
        });
        // One class alone is its label.
        let hard = Tensor::new(&[[1.0, 0.0], [0.0, 1.0]], &Device::Cpu)?;
        near(loss(&hard, 0.2, None)?, weighted(&[0, 1], 0.2, None)?);
        assert!(loss(&shares.neg()?, 0.0, None).is_err() && loss(&shares.narrow(0, 0, 1)?, 0.0, None).is_err());
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
