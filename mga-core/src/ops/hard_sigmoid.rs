//! The logistic function made of three straight lines (Howard et al. 2019).

use candle_core::Tensor;

use super::pointwise::{Pointwise, pointwise};
use crate::element::Element;
use crate::error::Result;
use crate::tape::{Tape, Value};

/// Computes `min(max(x + 3, 0), 6) / 6`. The gradient at -3 and 3 is 0, as in PyTorch.
///
/// `f16` and `bf16`: computed in `f32` and rounded once.
pub fn hard_sigmoid(tape: &mut Tape, x: Value) -> Result<Value> {
    pointwise::<HardSigmoid>(tape, x)
}

/// Whether `x` lies where the function is not constant, as a number.
pub(super) fn inside(x: &Tensor) -> Result<Tensor> {
    Ok((x.gt(-3.0)?.to_dtype(x.dtype())? * x.lt(3.0)?.to_dtype(x.dtype())?)?)
}

/// `min(max(x + 3, 0), 6)`; not a number stays so.
pub(super) fn ramp<T: Element>(x: T) -> T {
    let raised = x + T::of(3.0);
    if raised < T::of(0.0) {
        T::of(0.0)
    } else if raised > T::of(6.0) {
        T::of(6.0)
    } else {
        raised
    }
}

struct HardSigmoid;

impl Pointwise for HardSigmoid {
    const NAME: &'static str = "hard_sigmoid";

    fn value<T: Element>(x: T) -> T {
        ramp(x) / T::of(6.0)
    }
    fn slope<T: Element>(x: T) -> T {
        if x > T::of(-3.0) && x < T::of(3.0) { T::of(1.0 / 6.0) } else { T::of(0.0) }
    }
    fn composed(x: &Tensor) -> Result<Tensor> {
        Ok(((x + 3.0)?.clamp(0f64, 6f64)? / 6.0)?)
    }
    fn composed_slope(x: &Tensor) -> Result<Tensor> {
        Ok((inside(x)? / 6.0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half, gradient};
    use candle_core::Device;

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 3, 2, 5]], |tape, v| hard_sigmoid(tape, v[0].clone()));
        check_half(&[&[2, 3, 2, 5]], |tape, v| hard_sigmoid(tape, v[0].clone()));
    }

    #[test]
    fn both_ends_are_flat() -> Result<()> {
        let x = Tensor::new(&[-4f64, -3.0, 0.0, 3.0, 4.0], &Device::Cpu)?;
        for dx in gradient(&x, hard_sigmoid) {
            assert_eq!(dx, [0.0, 0.0, 1.0 / 6.0, 0.0, 0.0]);
        }
        let mut tape = Tape::eval();
        let x = tape.constant(&x)?;
        assert_eq!(hard_sigmoid(&mut tape, x)?.tensor().to_vec1::<f64>()?, [0.0, 0.0, 0.5, 1.0, 1.0]);
        Ok(())
    }
}
