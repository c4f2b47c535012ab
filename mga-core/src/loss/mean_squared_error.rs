//! Mean squared error against a fixed target.

use candle_core::{DType, Tensor};

use crate::error::{Error, Result};
use crate::ops::precision::widened;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Computes the mean squared error `mean((x - target)^2)` over the rows (first dimension) with `use_row`.
///
/// `x` and `target` have one shape, `[N, ...]`; `use_row` has `N` entries. The loss is a scalar. It is 0 where no row is
/// used; rows left out count neither above nor below the fraction bar.
///
/// `f16` and `bf16`: computed and returned in `f32`, whatever of the three types the target has; the gradient is rounded
/// to the type of `x`.
///
/// # Errors
/// Shapes that differ.
pub fn mean_squared_error(tape: &mut Tape, x: Value, target: &Tensor, use_row: &[bool]) -> Result<Value> {
    if x.dims() != target.dims() || x.dims().first() != Some(&use_row.len()) {
        let what = format!("x {:?}, target {:?}, {} rows", x.dims(), target.dims(), use_row.len());
        return Err(Error::shape("mean_squared_error", what));
    }
    let used = use_row.iter().filter(|&&used| used).count();
    let count = (used * x.tensor().elem_count() / use_row.len().max(1)).max(1) as f64;
    let mut difference = (widened(x.tensor())? - widened(target)?)?;
    if used < use_row.len() {
        let weights: Vec<f64> = use_row.iter().map(|&used| f64::from(u8::from(used))).collect();
        let mut dims = vec![1; x.dims().len()];
        dims[0] = use_row.len();
        let weights = Tensor::from_vec(weights, dims, &candle_core::Device::Cpu)?;
        let weights = weights.to_dtype(difference.dtype())?.to_device(difference.device())?;
        difference = difference.broadcast_mul(&weights)?;
    }
    let loss = (difference.sqr()?.sum_all()? / count)?;
    let (slot, dtype) = (x.slot(), x.tensor().dtype());
    Ok(tape.record(Operator::new("mean_squared_error"), &[&x], loss, move |dy, gradients| {
        // Multiplied where it lies: reading it would make the host wait for the GPU.
        let dx = difference.broadcast_mul(&(dy.tensor() * (2.0 / count))?)?;
        gradients.add(slot, Gradient::new(dx.to_dtype(dtype)?))
    }))
}

/// Computes the weighted mean squared error `sum w (x - target)^2 / sum w` over every number.
///
/// `x`, `target` and the weights `w` have one shape. The loss is a scalar, and 0 where nothing counts. Of equal weights in
/// whole rows it is [`mean_squared_error`] of those rows.
///
/// The weights are summed where they lie, and the host reads the sum: weights on the CPU make it wait for no device.
///
/// # Errors
/// Shapes that differ.
pub fn weighted_mean_squared_error(tape: &mut Tape, x: Value, target: &Tensor, weights: &Tensor) -> Result<Value> {
    if x.dims() != target.dims() || x.dims() != weights.dims() {
        let what = format!("x {:?}, target {:?}, weights {:?}", x.dims(), target.dims(), weights.dims());
        return Err(Error::shape("weighted_mean_squared_error", what));
    }
    let difference = (widened(x.tensor())? - widened(target)?)?;
    let weights = widened(weights)?.to_dtype(difference.dtype())?;
    let sum = weights.sum_all()?.to_dtype(DType::F64)?.to_vec0::<f64>()?;
    let sum = if sum > 0.0 { sum } else { 1.0 };
    let weighted = (&difference * weights.to_device(difference.device())?)?;
    let loss = ((&weighted * &difference)?.sum_all()? / sum)?;
    let (slot, dtype) = (x.slot(), x.tensor().dtype());
    Ok(tape.record(Operator::new("weighted_mean_squared_error"), &[&x], loss, move |dy, gradients| {
        let dx = weighted.broadcast_mul(&(dy.tensor() * (2.0 / sum))?)?;
        gradients.add(slot, Gradient::new(dx.to_dtype(dtype)?))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};
    use candle_core::Device;

    #[test]
    fn gradients_are_right() {
        for rows in [[true, true], [false, true], [false, false]] {
            check(&[&[2, 1, 3, 2]], |tape, v| {
                let target = (v[0].tensor().zeros_like()? + 0.3)?;
                mean_squared_error(tape, v[0].clone(), &target, &rows)
            });
            check_half(&[&[2, 1, 3, 2]], |tape, v| {
                let target = (v[0].tensor().zeros_like()? + 0.25)?;
                mean_squared_error(tape, v[0].clone(), &target, &rows)
            });
        }
    }
    #[test]
    fn weighted_gradients_are_right_and_nothing_may_count() -> Result<()> {
        let weights = Tensor::new(&[0.0, 1.0, 0.25, 0.5, 1.0, 0.0], &Device::Cpu)?.reshape((1, 1, 3, 2))?;
        let weights = Tensor::cat(&[&weights, &(&weights * 0.5)?], 0)?;
        for weights in [weights.clone(), weights.zeros_like()?] {
            check(&[&[2, 1, 3, 2]], |tape, v| {
                let target = (v[0].tensor().zeros_like()? + 0.3)?;
                let weights = weights.to_device(v[0].tensor().device())?;
                weighted_mean_squared_error(tape, v[0].clone(), &target, &weights)
            });
        }
        Ok(())
    }

    #[test]
    fn weights_leave_out_what_does_not_count() -> Result<()> {
        let row = |values: &[f32]| Tensor::new(values, &Device::Cpu)?.reshape((2, 1, 1, 2));
        let (x, target) = (row(&[1.0, 9.0, 0.5, 0.0])?, row(&[0.0, 0.0, 0.0, 0.0])?);
        let loss = |weights: &[f32]| -> Result<f32> {
            let mut tape = Tape::eval();
            let x = tape.constant(&x)?;
            let loss = weighted_mean_squared_error(&mut tape, x, &target, &row(weights)?)?;
            Ok(loss.tensor().to_vec0()?)
        };
        assert_eq!(loss(&[1.0, 0.0, 0.5, 0.5])?, (1.0 + 0.125) / 2.0);
        assert_eq!(loss(&[0.0; 4])?, 0.0);
        // Whole rows are what the unweighted loss takes.
        let mut tape = Tape::eval();
        let value = tape.constant(&x)?;
        let rows = mean_squared_error(&mut tape, value, &target, &[false, true])?.tensor().to_vec0::<f32>()?;
        assert_eq!(loss(&[0.0, 0.0, 1.0, 1.0])?, rows);
        Ok(())
    }
}
