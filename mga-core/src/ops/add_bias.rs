//! The addition of one number per channel.

use super::precision::channel_sums;
use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Computes `x + bias` for `x` `[N, C, H, W]` and `bias` `[C]`. With `f16` and `bf16` the gradient of the bias is
/// summed in `f32`.
pub fn add_bias(tape: &mut Tape, x: Value, bias: Value) -> Result<Value> {
    let (_, c, _, _) = x.dims4()?;
    if bias.dims() != [c] {
        return Err(Error::shape("add_bias", format!("x {:?}, bias {:?}", x.dims(), bias.dims())));
    }
    let y = x.tensor().broadcast_add(&bias.tensor().reshape((1, c, 1, 1))?)?;
    let (x_slot, b_slot) = (x.slot(), bias.slot());
    Ok(tape.record(Operator::new("add_bias"), &[&x, &bias], y, move |dy, gradients| {
        if b_slot.is_some() {
            let db = channel_sums(dy.tensor())?.reshape(c)?;
            gradients.add(b_slot, Gradient::new(db.to_dtype(dy.tensor().dtype())?))?;
        }
        if x_slot.is_some() {
            gradients.add(x_slot, Gradient::new(dy.into_owned()?))?;
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
        check(&[&[2, 3, 2, 5], &[3]], |tape, v| add_bias(tape, v[0].clone(), v[1].clone()));
        check_half(&[&[2, 3, 2, 5], &[3]], |tape, v| add_bias(tape, v[0].clone(), v[1].clone()));
    }
}
