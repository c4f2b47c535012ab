//! Average pooling.

use super::average_bins::{Bins, average_bins};
use super::max_pool2d::Pool2dSettings;
use crate::error::Result;
use crate::recorder::Operator;
use crate::tape::{Tape, Value};

/// Averages every window, `[N, C, H, W]` to `[N, C, OH, OW]`; the border counts as zeros (PyTorch's
/// `count_include_pad`). `f16` and `bf16`: rounded once along each side, the sums are `f32`.
pub fn avg_pool2d(tape: &mut Tape, x: Value, settings: Pool2dSettings) -> Result<Value> {
    let s = settings.shape("avg_pool2d", &x)?;
    let bins = |size: usize, out: usize| Bins {
        size,
        ranges: (0..out)
            .map(|i| {
                let start = i * settings.stride;
                start.saturating_sub(settings.padding)..(start + settings.kernel - settings.padding).min(size)
            })
            .collect(),
        divisors: vec![settings.kernel as f64; out],
    };
    let attributes = || settings.attributes();
    average_bins(
        tape,
        Operator::with("avg_pool2d", &attributes),
        x,
        bins(s.input.1, s.output.1),
        bins(s.input.2, s.output.2),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half, gradient};
    use candle_core::{DType, Device, Tensor};

    #[test]
    fn gradients_are_right() {
        for (kernel, stride, padding) in [(2, 2, 0), (3, 1, 1), (3, 2, 1), (2, 3, 0)] {
            for dims in [[2, 2, 7, 9], [1, 3, 8, 5]] {
                let settings = Pool2dSettings { kernel, stride, padding };
                check(&[&dims], |tape, v| avg_pool2d(tape, v[0].clone(), settings));
                check_half(&[&dims], |tape, v| avg_pool2d(tape, v[0].clone(), settings));
            }
        }
    }

    #[test]
    fn the_rest_of_a_size_that_does_not_divide_gets_no_gradient() -> Result<()> {
        // Candle's own backward misaligns here.
        let x = Tensor::zeros((1, 1, 3, 3), DType::F64, &Device::Cpu)?;
        let settings = Pool2dSettings { kernel: 2, stride: 2, padding: 0 };
        for dx in gradient(&x, |tape, x| avg_pool2d(tape, x, settings)) {
            assert_eq!(dx, [0.25, 0.25, 0.0, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0]);
        }
        Ok(())
    }
}
