//! The multiplication by one number per channel: the last step of squeeze and excitation (Hu et al. 2018).

use rayon::prelude::*;

use crate::element::{Element, read, tensor, with_element, zeros};
use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

use super::precision::widened;

/// Multiplies `x` `[N, C, H, W]` by `scale` `[N, C, 1, 1]`. With `f16` and `bf16`, sums over a map are `f32`.
pub fn scale_channels(tape: &mut Tape, x: Value, scale: Value) -> Result<Value> {
    let (n, c, h, w) = x.dims4()?;
    if scale.dims() != [n, c, 1, 1] || h * w == 0 {
        return Err(Error::shape("scale_channels", format!("x {:?}, scale {:?}", x.dims(), scale.dims())));
    }
    let kernels = tape.kernels(x.tensor());
    let y = if kernels {
        with_element!(x.tensor(), T => tensor(times::<T>(&x, &scale, h * w)?, x.dims())?)
    } else {
        x.tensor().broadcast_mul(scale.tensor())?
    };
    let (x_slot, s_slot) = (x.slot(), scale.slot());
    // Each operand is needed for the other's gradient only.
    let saved_x = s_slot.map(|_| x.tensor().clone());
    let saved_s = x_slot.map(|_| scale.tensor().clone());
    Ok(tape.record(Operator::new("scale_channels"), &[&x, &scale], y, move |dy, gradients| {
        if let Some(x) = &saved_x {
            let ds = if kernels {
                with_element!(x, T => {
                    let sums = read::<T, _>(x, |x| read::<T, _>(dy.tensor(), |dy| sums(h * w, x, dy)))??;
                    tensor(sums, (n, c, 1, 1))?
                })
            } else {
                (widened(x)? * widened(dy.tensor())?)?.sum_keepdim((2, 3))?.to_dtype(x.dtype())?
            };
            gradients.add(s_slot, Gradient::new(ds))?;
        }
        if let (Some(slot), Some(scale)) = (x_slot, &saved_s) {
            if !kernels {
                return gradients.add(x_slot, Gradient::new(dy.tensor().broadcast_mul(scale)?));
            }
            return with_element!(scale, T => read::<T, _>(scale, |s| {
                read::<T, _>(dy.tensor(), |dy| {
                    gradients.accumulate::<T>(slot, &[n, c, h, w], |dx, _| add_product(h * w, dy, s, dx))
                })
            })??);
        }
        Ok(())
    }))
}

fn times<T: Element>(x: &Value, scale: &Value, area: usize) -> Result<Vec<T>> {
    let mut y = zeros::<T>(x.tensor().elem_count());
    read::<T, _>(x.tensor(), |x| read::<T, _>(scale.tensor(), |s| add_product(area, x, s, &mut y)))??;
    Ok(y)
}

/// `y += x s`, plane by plane.
fn add_product<T: Element>(area: usize, x: &[T], s: &[T], y: &mut [T]) {
    y.par_chunks_mut(area).zip(x.par_chunks(area).zip(s)).with_min_len(8).for_each(|(y, (x, &s))| {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y += x * s);
    });
}

/// `<x, dy>` of every plane, summed in f64.
fn sums<T: Element>(area: usize, x: &[T], dy: &[T]) -> Vec<T> {
    let dot = |(x, dy): (&[T], &[T])| T::of(x.iter().zip(dy).map(|(x, dy)| x.wide() * dy.wide()).sum());
    x.par_chunks(area).zip(dy.par_chunks(area)).with_min_len(8).map(dot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 9, 2, 3], &[2, 9, 1, 1]], |tape, v| scale_channels(tape, v[0].clone(), v[1].clone()));
        check_half(&[&[2, 9, 2, 3], &[2, 9, 1, 1]], |tape, v| scale_channels(tape, v[0].clone(), v[1].clone()));
        // The features are squeezed and scaled, so their gradient comes from two sides.
        check(&[&[2, 3, 2, 3]], |tape, v| {
            let mean = super::super::adaptive_avg_pool2d(tape, v[0].clone(), (1, 1))?;
            scale_channels(tape, v[0].clone(), mean)
        });
    }

    #[test]
    fn a_map_is_no_scale() {
        let mut tape = Tape::eval();
        let zeros = |dims: (usize, usize, usize, usize)| {
            tape.constant(
                &candle_core::Tensor::zeros(dims, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap(),
            )
        };
        let (x, s) = (zeros((1, 3, 2, 2)).unwrap(), zeros((1, 1, 2, 2)).unwrap());
        assert!(scale_channels(&mut tape, x, s).unwrap_err().to_string().contains("[1, 1, 2, 2]"));
    }
}
