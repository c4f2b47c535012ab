//! The activation of MobileNetV3 (Howard et al. 2019).

use candle_core::Tensor;

use super::hard_sigmoid::{inside, ramp};
use super::pointwise::{Pointwise, pointwise};
use crate::element::Element;
use crate::error::Result;
use crate::tape::{Tape, Value};

/// Computes `x min(max(x + 3, 0), 6) / 6`. The gradient is 0 at -3 and 1 at 3.
///
/// `f16` and `bf16`: computed in `f32` and rounded once.
pub fn hard_swish(tape: &mut Tape, x: Value) -> Result<Value> {
    pointwise::<HardSwish>(tape, x)
}

struct HardSwish;

impl Pointwise for HardSwish {
    const NAME: &'static str = "hard_swish";

    fn value<T: Element>(x: T) -> T {
        x * ramp(x) / T::of(6.0)
    }
    fn slope<T: Element>(x: T) -> T {
        if x <= T::of(-3.0) {
            T::of(0.0)
        } else if x < T::of(3.0) {
            x / T::of(3.0) + T::of(0.5)
        } else {
            T::of(1.0)
        }
    }
    fn composed(x: &Tensor) -> Result<Tensor> {
        Ok(((x * (x + 3.0)?.clamp(0f64, 6f64)?)? / 6.0)?)
    }
    fn composed_slope(x: &Tensor) -> Result<Tensor> {
        let bent = (x.affine(1.0 / 3.0, 0.5)? * inside(x)?)?;
        Ok((bent + x.ge(3.0)?.to_dtype(x.dtype())?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half, gradient};
    use candle_core::Device;

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 3, 2, 5]], |tape, v| hard_swish(tape, v[0].clone()));
        check_half(&[&[2, 3, 2, 5]], |tape, v| hard_swish(tape, v[0].clone()));
    }

    #[test]
    fn beyond_three_it_is_zero_or_the_identity() -> Result<()> {
        let x = Tensor::new(&[-4f64, -3.0, 0.0, 3.0, 4.0], &Device::Cpu)?;
        for dx in gradient(&x, hard_swish) {
            assert_eq!(dx, [0.0, 0.0, 0.5, 1.0, 1.0]);
        }
        let mut tape = Tape::eval();
        let x = tape.constant(&x)?;
        assert_eq!(hard_swish(&mut tape, x)?.tensor().to_vec1::<f64>()?, [0.0, 0.0, 0.0, 3.0, 4.0]);
        Ok(())
    }
}
