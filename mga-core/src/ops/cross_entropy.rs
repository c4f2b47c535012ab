//! Cross entropy of class scores and labels.

use candle_core::{D, Device, Tensor};

use super::precision::widened;
use crate::error::{Error, Result};
use crate::tape::{Gradient, Tape, Value};

/// `-mean_n sum_c target[n, c] log_softmax(logits)[n, c]`: `logits` `[N, classes]`, `labels` `N` indices. The target is
/// `1 - s + s / classes` at the label and `s / classes` elsewhere, `s` the label smoothing (Szegedy et al. 2016, as
/// PyTorch's `label_smoothing`).
///
/// `f16` and `bf16`: computed and returned in `f32`; the gradient is rounded to the type of the logits.
pub fn cross_entropy(tape: &mut Tape, logits: Value, labels: &[u32], smoothing: f64) -> Result<Value> {
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
    let like = &widened(logits.tensor())?;
    let target =
        Tensor::from_vec(target, (n, classes), &Device::Cpu)?.to_dtype(like.dtype())?.to_device(like.device())?;
    let shifted = like.broadcast_sub(&like.max_keepdim(D::Minus1)?)?;
    let log = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    let loss = ((&log * &target)?.sum_all()? * (-1.0 / n as f64))?;
    let (slot, dtype) = (logits.slot(), logits.tensor().dtype());
    Ok(tape.record(&[&logits], loss, move |dy, gradients| {
        // Multiplied where it lies: reading it would make the host wait for the GPU.
        let dx = (log.exp()? - target)?.broadcast_mul(&(dy.tensor() / n as f64)?)?;
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
        }
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
