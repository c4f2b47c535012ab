//! Layer normalisation (Ba et al. 2016): every vector by its own mean and variance.

use candle_core::{D, DType, Tensor};
use rayon::prelude::*;

use super::batch_norm::{vector, vector_of};
use super::precision::widened;
use crate::element::{Element, modify, read, tensor, with_element, zeros};
use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Vectors a task works on; the gradients of weight and bias are summed task by task, in order.
const VECTORS: usize = 64;

/// Computes `(x - mean) / sqrt(var + eps) * weight + bias` along the last dimension of `x` `[.., C]`, with the biased
/// variance; `weight` and `bias` are `[C]`. `f16` and `bf16` are computed in `f32` and rounded once.
pub fn layer_norm(tape: &mut Tape, x: Value, weight: Value, bias: Value, eps: f64) -> Result<Value> {
    let c = x.dims().last().copied().unwrap_or(0);
    if c == 0 || weight.dims() != [c] || bias.dims() != [c] {
        let what = format!("x {:?}, weight {:?}, bias {:?}", x.dims(), weight.dims(), bias.dims());
        return Err(Error::shape("layer_norm", what));
    }
    let attributes = || vec![("eps", eps.into())];
    let operator = Operator::with("layer_norm", &attributes);
    if !tape.kernels(x.tensor()) {
        return composed(tape, operator, x, weight, bias, eps);
    }
    let (w_type, b_type) = (weight.tensor().dtype(), bias.tensor().dtype());
    let slots = (x.slot(), weight.slot(), bias.slot());
    with_element!(x.tensor(), T => {
        let (gamma, beta) = (vector::<T>(weight.tensor())?, vector::<T>(bias.tensor())?);
        let mut y = zeros::<T>(x.tensor().elem_count());
        read::<T, _>(x.tensor(), |x| forward(x, &gamma, &beta, eps, &mut y))?;
        let saved = x.tensor().clone();
        Ok(tape.record(operator, &[&x, &weight, &bias], tensor(y, x.dims())?, move |dy, gradients| {
            let dy = dy.into_owned()?;
            let (dw, db) = read::<T, _>(&saved, |x| modify::<T, _>(&dy, |dy| backward(x, dy, &gamma, eps)))??;
            gradients.add(slots.0, Gradient::new(dy))?;
            gradients.add(slots.1, Gradient::new(vector_of::<T>(dw.into_iter().map(T::of).collect(), w_type)?))?;
            gradients.add(slots.2, Gradient::new(vector_of::<T>(db.into_iter().map(T::of).collect(), b_type)?))
        }))
    })
}

/// Mean and `1 / sqrt(var + eps)` of one vector, in f64.
fn statistics<T: Element>(x: &[T], eps: f64) -> (f64, f64) {
    let count = x.len() as f64;
    let mean = x.iter().map(|v| v.wide()).sum::<f64>() / count;
    let variance = x.iter().map(|v| (v.wide() - mean).powi(2)).sum::<f64>() / count;
    (mean, 1.0 / (variance + eps).sqrt())
}

fn forward<T: Element>(x: &[T], gamma: &[T], beta: &[T], eps: f64, y: &mut [T]) {
    let c = gamma.len();
    y.par_chunks_mut(VECTORS * c).zip(x.par_chunks(VECTORS * c)).for_each(|(y, x)| {
        for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
            let (mean, inverse) = statistics(x, eps);
            for ((y, &x), (g, b)) in y.iter_mut().zip(x).zip(gamma.iter().zip(beta)) {
                *y = T::of((x.wide() - mean) * inverse * g.wide() + b.wide());
            }
        }
    });
}

/// Turns `dy` into the gradient of `x`, and returns those of weight and bias. With `u = (x - mean) / sqrt(var + eps)` and
/// `g = dy weight`: `dx = (g - mean(g) - u mean(g u)) / sqrt(var + eps)`.
fn backward<T: Element>(x: &[T], dy: &mut [T], gamma: &[T], eps: f64) -> (Vec<f64>, Vec<f64>) {
    let c = gamma.len();
    let parts: Vec<(Vec<f64>, Vec<f64>)> = dy
        .par_chunks_mut(VECTORS * c)
        .zip(x.par_chunks(VECTORS * c))
        .map(|(dy, x)| {
            let (mut dw, mut db) = (vec![0.0; c], vec![0.0; c]);
            for (dy, x) in dy.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
                let (mean, inverse) = statistics(x, eps);
                let (mut sum, mut along) = (0.0, 0.0);
                for (i, (dy, x)) in dy.iter().zip(x).enumerate() {
                    let (dy, u) = (dy.wide(), (x.wide() - mean) * inverse);
                    dw[i] += dy * u;
                    db[i] += dy;
                    sum += dy * gamma[i].wide();
                    along += dy * gamma[i].wide() * u;
                }
                let (sum, along) = (sum / c as f64, along / c as f64);
                for ((dy, x), g) in dy.iter_mut().zip(x).zip(gamma) {
                    let u = (x.wide() - mean) * inverse;
                    *dy = T::of(inverse * (dy.wide() * g.wide() - sum - u * along));
                }
            }
            (dw, db)
        })
        .collect();
    let mut total = (vec![0.0; c], vec![0.0; c]);
    for (dw, db) in parts {
        total.0.iter_mut().zip(dw).for_each(|(total, part)| *total += part);
        total.1.iter_mut().zip(db).for_each(|(total, part)| *total += part);
    }
    total
}

fn composed(tape: &mut Tape, operator: Operator<'_>, x: Value, weight: Value, bias: Value, eps: f64) -> Result<Value> {
    let mean = |t: &Tensor| t.mean_keepdim(D::Minus1);
    let (dtype, wide) = (x.tensor().dtype(), widened(x.tensor())?);
    let centred = wide.broadcast_sub(&mean(&wide)?)?;
    let inverse = (mean(&centred.sqr()?)? + eps)?.sqrt()?.recip()?;
    let u = centred.broadcast_mul(&inverse)?;
    let (gamma, beta) = (weight.tensor().to_dtype(wide.dtype())?, bias.tensor().to_dtype(wide.dtype())?);
    let y = u.broadcast_mul(&gamma)?.broadcast_add(&beta)?.to_dtype(dtype)?;
    let (w_type, b_type) = (weight.tensor().dtype(), bias.tensor().dtype());
    let slots = (x.slot(), weight.slot(), bias.slot());
    Ok(tape.record(operator, &[&x, &weight, &bias], y, move |dy, gradients| {
        let dy = widened(dy.tensor())?;
        let rows = |t: &Tensor, dtype: DType| -> Result<Tensor> {
            Ok(t.reshape(((), gamma.elem_count()))?.sum(0)?.to_dtype(dtype)?)
        };
        gradients.add(slots.1, Gradient::new(rows(&(&dy * &u)?, w_type)?))?;
        gradients.add(slots.2, Gradient::new(rows(&dy, b_type)?))?;
        let g = dy.broadcast_mul(&gamma)?;
        let along = u.broadcast_mul(&mean(&(&g * &u)?)?)?;
        let dx = (g.broadcast_sub(&mean(&g)?)? - along)?.broadcast_mul(&inverse)?;
        gradients.add(slots.0, Gradient::new(dx.to_dtype(dtype)?))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};

    #[test]
    fn gradients_are_right() {
        for dims in [[2, 3, 5], [1, 70, 2]] {
            check(&[&dims, &[dims[2]], &[dims[2]]], |tape, v| {
                layer_norm(tape, v[0].clone(), v[1].clone(), v[2].clone(), 1e-2)
            });
            check_half(&[&dims, &[dims[2]], &[dims[2]]], |tape, v| {
                layer_norm(tape, v[0].clone(), v[1].clone(), v[2].clone(), 1e-2)
            });
        }
    }

    #[test]
    fn a_weight_of_another_width_is_an_error() -> Result<()> {
        let mut tape = Tape::eval();
        let x = tape.constant(&Tensor::zeros((2, 3), candle_core::DType::F32, &candle_core::Device::Cpu)?)?;
        let w = tape.constant(&Tensor::zeros(2, candle_core::DType::F32, &candle_core::Device::Cpu)?)?;
        assert!(layer_norm(&mut tape, x, w.clone(), w, 1e-5).unwrap_err().to_string().contains("[2, 3]"));
        Ok(())
    }
}
