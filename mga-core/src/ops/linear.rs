//! The affine map.

use super::precision;
use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Computes `x weight^T + bias` `[N, out]` for `x` `[N, in]`, `weight` `[out, in]` and `bias` `[out]`.
///
/// `f16` and `bf16`: products and the bias' gradient are summed in `f32`.
pub fn linear(tape: &mut Tape, x: Value, weight: Value, bias: Value) -> Result<Value> {
    let (Ok((_, inside)), Ok((outside, width))) = (x.tensor().dims2(), weight.tensor().dims2()) else {
        return Err(Error::shape("linear", format!("x {:?}, weight {:?}", x.dims(), weight.dims())));
    };
    if inside != width || bias.dims() != [outside] {
        return Err(Error::shape(
            "linear",
            format!("x {:?}, weight {:?}, bias {:?}", x.dims(), weight.dims(), bias.dims()),
        ));
    }
    let y = precision::matmul(x.tensor(), &weight.tensor().t()?)?.broadcast_add(bias.tensor())?;
    let (x_slot, w_slot, b_slot) = (x.slot(), weight.slot(), bias.slot());
    let (saved_x, saved_w) = (w_slot.map(|_| x.tensor().clone()), x_slot.map(|_| weight.tensor().clone()));
    Ok(tape.record(Operator::new("linear"), &[&x, &weight, &bias], y, move |dy, gradients| {
        let dy = dy.tensor();
        if let Some(x) = saved_x {
            gradients.add(w_slot, Gradient::new(precision::matmul(&dy.t()?, &x)?))?;
        }
        if b_slot.is_some() {
            gradients.add(b_slot, Gradient::new(precision::sum(dy, 0)?))?;
        }
        if let Some(w) = saved_w {
            gradients.add(x_slot, Gradient::new(precision::matmul(dy, &w)?))?;
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
        check(&[&[3, 5], &[4, 5], &[4]], |tape, v| linear(tape, v[0].clone(), v[1].clone(), v[2].clone()));
        check_half(&[&[3, 5], &[4, 5], &[4]], |tape, v| linear(tape, v[0].clone(), v[1].clone(), v[2].clone()));
        check(&[&[1, 2], &[1, 2], &[1]], |tape, v| linear(tape, v[0].clone(), v[1].clone(), v[2].clone()));
    }
}
