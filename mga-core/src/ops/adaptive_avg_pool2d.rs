//! Adaptive average pooling.

use candle_core::Tensor;

use super::average_bins::{Bins, average_bins};
use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Tape, Value};

/// Averages `[N, C, H, W]` to `[N, C, h, w]`. Bin `i` spans `floor(i H / h)` to `ceil((i + 1) H / h)`, and its numbers
/// have equal weights, as in PyTorch's `adaptive_avg_pool2d`. With `f16` and `bf16` the sums are `f32`, rounded once
/// along each side.
pub fn adaptive_avg_pool2d(tape: &mut Tape, x: Value, (h, w): (usize, usize)) -> Result<Value> {
    let (_, _, in_h, in_w) = x.dims4()?;
    if h == 0 || w == 0 || in_h == 0 || in_w == 0 {
        return Err(Error::shape("adaptive_avg_pool2d", format!("{:?} to {h} x {w}", x.dims())));
    }
    let attributes = || vec![("size", (h, w).into())];
    average_bins(tape, Operator::with("adaptive_avg_pool2d", &attributes), x, bins(in_h, h), bins(in_w, w))
}

/// Averages a tensor that needs no gradient, like [`adaptive_avg_pool2d`]. Masks are brought to the size of the
/// attention this way.
pub fn adaptive_average(x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    let mut tape = Tape::eval();
    let x = tape.constant(x)?;
    Ok(adaptive_avg_pool2d(&mut tape, x, size)?.tensor().clone())
}

fn bins(size: usize, out: usize) -> Bins {
    let ranges: Vec<_> = (0..out).map(|i| i * size / out..((i + 1) * size).div_ceil(out)).collect();
    let divisors = ranges.iter().map(|range| range.len() as f64).collect();
    Bins { size, ranges, divisors }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};

    #[test]
    fn gradients_are_right() {
        for (dims, size) in [([2, 2, 7, 9], (3, 2)), ([1, 3, 3, 2], (7, 7)), ([2, 1, 8, 5], (1, 1))] {
            check(&[&dims], |tape, v| adaptive_avg_pool2d(tape, v[0].clone(), size));
            check_half(&[&dims], |tape, v| adaptive_avg_pool2d(tape, v[0].clone(), size));
        }
    }

    #[test]
    fn bins_overlap_where_sizes_do_not_divide() {
        assert_eq!(bins(7, 3).ranges, [0..3, 2..5, 4..7]);
        assert_eq!(bins(2, 3).ranges, [0..1, 0..2, 1..2]);
    }
}
