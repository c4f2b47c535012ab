//! Products of many small matrices: attention.

use candle_core::D;

use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

use super::precision::matmul;

/// Multiplies `a` `[B, m, k]` by `b` `[B, k, n]`, giving `[B, m, n]`. With `f16` and `bf16` these are candle's
/// products, rounded once.
pub fn batch_matmul(tape: &mut Tape, a: Value, b: Value) -> Result<Value> {
    match (a.dims(), b.dims()) {
        ([batch, _, k], [other, depth, _]) if batch == other && k == depth => {}
        (a, b) => return Err(Error::shape("batch_matmul", format!("{a:?} times {b:?}"))),
    }
    let y = matmul(a.tensor(), b.tensor())?;
    let (a_slot, b_slot) = (a.slot(), b.slot());
    // Each operand is needed for the other's gradient only.
    let saved_a = b_slot.map(|_| a.tensor().clone());
    let saved_b = a_slot.map(|_| b.tensor().clone());
    Ok(tape.record(Operator::new("batch_matmul"), &[&a, &b], y, move |dy, gradients| {
        let dy = dy.tensor();
        if let Some(b) = saved_b {
            gradients.add(a_slot, Gradient::new(matmul(dy, &b.transpose(D::Minus1, D::Minus2)?)?))?;
        }
        if let Some(a) = saved_a {
            gradients.add(b_slot, Gradient::new(matmul(&a.transpose(D::Minus1, D::Minus2)?, dy)?))?;
        }
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 3, 4], &[2, 4, 5]], |tape, v| batch_matmul(tape, v[0].clone(), v[1].clone()));
        check_half(&[&[2, 3, 4], &[2, 4, 5]], |tape, v| batch_matmul(tape, v[0].clone(), v[1].clone()));
        check(&[&[3, 1, 2], &[3, 2, 1]], |tape, v| batch_matmul(tape, v[0].clone(), v[1].clone()));
        check(&[&[2, 3, 3]], |tape, v| batch_matmul(tape, v[0].clone(), v[0].clone()));
    }

    #[test]
    fn sizes_that_do_not_fit_are_an_error() {
        let mut tape = Tape::eval();
        let zeros = |dims: (usize, usize, usize)| {
            tape.constant(
                &candle_core::Tensor::zeros(dims, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap(),
            )
        };
        let (a, b) = (zeros((2, 3, 4)).unwrap(), zeros((1, 4, 5)).unwrap());
        assert!(batch_matmul(&mut tape, a, b).unwrap_err().to_string().contains("[2, 3, 4] times [1, 4, 5]"));
    }
}
