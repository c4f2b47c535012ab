//! Mean and maximum over the channels: what the attention of MGA looks at.

use candle_core::Tensor;

use super::precision::widened;
use crate::error::Result;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Computes the mean and the maximum over the channels, `[N, C, H, W]` to `[N, 2, H, W]`, mean first. The first of
/// several equal maxima gets the gradient, as in PyTorch's `max(dim)` (candle gives each the full gradient).
///
/// `f16` and `bf16`: the mean is summed in `f32`.
pub fn channel_mean_max(tape: &mut Tape, x: Value) -> Result<Value> {
    let (n, c, h, w) = x.dims4()?;
    let mean = widened(x.tensor())?.mean_keepdim(1)?.to_dtype(x.tensor().dtype())?;
    let max = x.tensor().max_keepdim(1)?;
    let y = Tensor::cat(&[&mean, &max], 1)?;
    let (slot, saved) = (x.slot(), x.tensor().clone());
    Ok(tape.record(Operator::new("channel_mean_max"), &[&x], y, move |dy, gradients| {
        let mean = (dy.tensor().narrow(1, 0, 1)? / c as f64)?.broadcast_as((n, c, h, w))?;
        // One-hot of the first maximum: the channels' numbers compared with the least of those that have it. Candle's
        // `argmax` gives any of several equal maxima on CUDA, and a ReLU6 has many.
        let channels = Tensor::arange(0u32, c as u32, saved.device())?.reshape((1, c, 1, 1))?;
        let none = Tensor::full(c as u32, (), saved.device())?.broadcast_as((n, c, h, w))?;
        let top = saved.broadcast_eq(&max)?;
        let first = top.where_cond(&channels.broadcast_as((n, c, h, w))?, &none)?.min_keepdim(1)?;
        let winners = channels.broadcast_eq(&first)?.to_dtype(saved.dtype())?;
        let max = winners.broadcast_mul(&dy.tensor().narrow(1, 1, 1)?)?;
        gradients.add(slot, Gradient::new((mean.contiguous()? + max)?))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half, gradient};
    use candle_core::{DType, Device};

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 5, 3, 2]], |tape, v| channel_mean_max(tape, v[0].clone()));
        check_half(&[&[2, 5, 3, 2]], |tape, v| channel_mean_max(tape, v[0].clone()));
    }

    #[test]
    fn the_first_of_equal_maxima_gets_the_gradient() -> Result<()> {
        let x = Tensor::ones((1, 2, 1, 1), DType::F64, &Device::Cpu)?;
        for dx in gradient(&x, channel_mean_max) {
            assert_eq!(dx, [1.5, 0.5]);
        }
        let x = Tensor::new(&[1f64, 6.0, 6.0, 0.0], &Device::Cpu)?.reshape((1, 4, 1, 1))?;
        for dx in gradient(&x, channel_mean_max) {
            assert_eq!(dx, [0.25, 1.25, 0.25, 0.25]);
        }
        Ok(())
    }
}
