//! The logistic function.

use crate::error::Result;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Computes `1 / (1 + exp(-x))` in the type of `x`.
pub fn sigmoid(tape: &mut Tape, x: Value) -> Result<Value> {
    let y = candle_nn::ops::sigmoid(x.tensor())?;
    let (slot, saved) = (x.slot(), y.clone());
    Ok(tape.record(Operator::new("sigmoid"), &[&x], y, move |dy, gradients| {
        let slope = (&saved * (1.0 - &saved)?)?;
        gradients.add(slot, Gradient::new((dy.tensor() * slope)?))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};
    use candle_core::{Device, Tensor};

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 1, 3, 5]], |tape, v| sigmoid(tape, v[0].clone()));
        check_half(&[&[2, 1, 3, 5]], |tape, v| sigmoid(tape, v[0].clone()));
    }

    #[test]
    fn large_numbers_stay_finite() -> Result<()> {
        let mut tape = Tape::eval();
        let x = tape.constant(&Tensor::new(&[-1000f32, 0.0, 1000.0], &Device::Cpu)?)?;
        assert_eq!(sigmoid(&mut tape, x)?.tensor().to_vec1::<f32>()?, [0.0, 0.5, 1.0]);
        Ok(())
    }
}
