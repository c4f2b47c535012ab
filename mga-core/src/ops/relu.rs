//! Rectifier.

use candle_core::Tensor;

use crate::element::{modify, read, tensor, with_element};
use crate::error::Result;
use crate::kernels::elementwise;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Computes `max(x, 0)`, and NaN for NaN. The gradient at exactly 0 is 0, as in PyTorch (candle's is 1).
///
/// Every type the same; `f16` and `bf16` lose nothing.
pub fn relu(tape: &mut Tape, x: Value) -> Result<Value> {
    let kernels = tape.kernels(x.tensor());
    let y = if kernels {
        with_element!(x.tensor(), T => {
            let y = read::<T, _>(x.tensor(), |x| elementwise::map(x, |v| if v < 0.0 { 0.0 } else { v }))?;
            tensor(y, x.dims())?
        })
    } else {
        rectified(x.tensor())?
    };
    let (slot, saved) = (x.slot(), y.clone());
    Ok(tape.record(Operator::new("relu"), &[&x], y, move |dy, gradients| {
        gradients.add(slot, Gradient::new(gate(dy.into_owned()?, &saved, kernels)?))
    }))
}

/// `max(x, 0)` composed. Candle's own `relu` and `maximum` make 0 of a NaN, which would hide a broken step.
pub(super) fn rectified(x: &Tensor) -> Result<Tensor> {
    Ok(x.lt(0.0)?.where_cond(&x.zeros_like()?, x)?)
}

/// `dy` but 0 where `y` is 0 or less; in place with kernels.
pub(super) fn gate(dy: Tensor, y: &Tensor, kernels: bool) -> Result<Tensor> {
    if !kernels {
        // Chosen, not multiplied: 0 times infinity is no 0.
        return Ok(y.le(0.0)?.where_cond(&dy.zeros_like()?, &dy)?);
    }
    with_element!(y, T => read::<T, _>(y, |y| {
        modify::<T, _>(&dy, |dy| elementwise::update(dy, y, |g, y| if y <= 0.0 { *g = 0.0 }))
    })??);
    Ok(dy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half, gradient};
    use crate::tape::Engine;
    use candle_core::{DType, Device};

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 3, 5, 3]], |tape, v| relu(tape, v[0].clone()));
        check_half(&[&[2, 3, 5, 3]], |tape, v| relu(tape, v[0].clone()));
    }

    #[test]
    fn a_broken_step_shows_on_every_engine_and_type() -> Result<()> {
        for (engine, dtype) in [
            (Engine::Kernels, DType::F32),
            (Engine::Composed, DType::F32),
            (Engine::Composed, DType::F64),
            (Engine::Composed, DType::F16),
        ] {
            let x = Tensor::new(&[f64::NAN, f64::NEG_INFINITY, f64::INFINITY], &Device::Cpu)?.to_dtype(dtype)?;
            let mut tape = Tape::train(0, 0).with_engine(engine);
            let x = tape.variable(&x)?;
            let y = relu(&mut tape, x.clone())?;
            let found = y.tensor().to_dtype(DType::F64)?.to_vec1::<f64>()?;
            assert!(found[0].is_nan() && found[1..] == [0.0, f64::INFINITY], "{engine:?} {dtype:?}: {found:?}");
            let upstream = Tensor::new(&[1.0, f64::INFINITY, 3.0], &Device::Cpu)?.to_dtype(dtype)?;
            let sum = crate::ops::candle_node(&mut tape, &[y], |t| (&t[0] * upstream)?.sum_all())?;
            let dx = tape.backward(&sum, 1.0)?.take(&x).unwrap().to_dtype(DType::F64)?.to_vec1::<f64>()?;
            assert_eq!(dx, [1.0, 0.0, 3.0], "{engine:?} {dtype:?}");
        }
        Ok(())
    }

    #[test]
    fn the_gradient_at_zero_is_zero() -> Result<()> {
        let x = Tensor::new(&[-1f64, 0.0, 2.0], &Device::Cpu)?;
        for dx in gradient(&x, relu) {
            assert_eq!(dx, [0.0, 0.0, 1.0]);
        }
        Ok(())
    }
}
