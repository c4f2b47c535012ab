//! Shares that add up to 1 along one dimension.

use candle_core::Tensor;
use rayon::prelude::*;

use crate::element::{Element, modify, read, tensor, with_element, zeros};
use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

use super::precision::widened;

/// Computes `exp(x) / sum exp(x)` along `dim`, for any shape. The last dimension has a kernel; other dimensions compose
/// candle's operators. `f16` and `bf16` are computed in `f32` and rounded once.
pub fn softmax(tape: &mut Tape, x: Value, dim: usize) -> Result<Value> {
    let rank = x.dims().len();
    let Some(&length) = x.dims().get(dim).filter(|&&length| length > 0) else {
        return Err(Error::shape("softmax", format!("dimension {dim} of {:?}", x.dims())));
    };
    let kernels = dim + 1 == rank && tape.kernels(x.tensor());
    let y = if kernels {
        with_element!(x.tensor(), T => {
            let mut y = zeros::<T>(x.tensor().elem_count());
            read::<T, _>(x.tensor(), |x| forward(length, x, &mut y))?;
            tensor(y, x.dims())?
        })
    } else {
        let wide = widened(x.tensor())?;
        let likelihoods = wide.broadcast_sub(&wide.max_keepdim(dim)?)?.exp()?;
        likelihoods.broadcast_div(&likelihoods.sum_keepdim(dim)?)?
    };
    let attributes = || vec![("dim", dim.into())];
    let (slot, saved) = (x.slot(), y.clone());
    let y = y.to_dtype(x.tensor().dtype())?;
    Ok(tape.record(Operator::with("softmax", &attributes), &[&x], y, move |dy, gradients| {
        let dx = if kernels {
            let dy = dy.into_owned()?;
            with_element!(saved, T => read::<T, _>(&saved, |y| modify::<T, _>(&dy, |dy| backward(length, y, dy)))??);
            dy
        } else {
            composed_backward(&saved, &widened(dy.tensor())?, dim)?.to_dtype(dy.tensor().dtype())?
        };
        gradients.add(slot, Gradient::new(dx))
    }))
}

/// `y (dy - <dy, y>)`.
fn composed_backward(y: &Tensor, dy: &Tensor, dim: usize) -> Result<Tensor> {
    Ok((y * dy.broadcast_sub(&(y * dy)?.sum_keepdim(dim)?)?)?)
}

/// Rows a task works on, so that short rows are not a task each.
fn rows_at_a_time(length: usize) -> usize {
    (4096 / length).max(1)
}

fn forward<T: Element>(length: usize, x: &[T], y: &mut [T]) {
    let piece = rows_at_a_time(length) * length;
    y.par_chunks_mut(piece).zip(x.par_chunks(piece)).for_each(|(y, x)| {
        for (y, x) in y.chunks_exact_mut(length).zip(x.chunks_exact(length)) {
            let largest = x.iter().copied().fold(T::neg_infinity(), num_traits::Float::max);
            let mut sum = 0.0;
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - largest).exp();
                sum += y.wide();
            }
            let scale = T::of(1.0 / sum);
            y.iter_mut().for_each(|y| *y *= scale);
        }
    });
}

fn backward<T: Element>(length: usize, y: &[T], dy: &mut [T]) {
    let piece = rows_at_a_time(length) * length;
    dy.par_chunks_mut(piece).zip(y.par_chunks(piece)).for_each(|(dy, y)| {
        for (dy, y) in dy.chunks_exact_mut(length).zip(y.chunks_exact(length)) {
            let along = T::of(dy.iter().zip(y).map(|(dy, y)| dy.wide() * y.wide()).sum());
            dy.iter_mut().zip(y).for_each(|(dy, &y)| *dy = y * (*dy - along));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};
    use candle_core::Device;

    #[test]
    fn gradients_are_right() {
        for dim in 0..3 {
            check(&[&[3, 2, 5]], |tape, v| softmax(tape, v[0].clone(), dim));
            check_half(&[&[3, 2, 5]], |tape, v| softmax(tape, v[0].clone(), dim));
        }
    }

    #[test]
    fn large_numbers_stay_finite() -> Result<()> {
        let mut tape = Tape::eval();
        let x = tape.constant(&Tensor::new(&[[1000f32, 1000.0, -1000.0], [0.0, 0.0, 0.0]], &Device::Cpu)?)?;
        let third = 1.0 / 3.0;
        let y = softmax(&mut tape, x.clone(), 1)?.tensor().to_vec2::<f32>()?;
        assert_eq!(y, [[0.5, 0.5, 0.0], [third, third, third]]);
        assert!(softmax(&mut tape, x, 2).unwrap_err().to_string().contains("dimension 2 of [2, 3]"));
        Ok(())
    }
}
