//! Concatenation along the channels.

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Concatenates `[N, C1, H, W]`, `[N, C2, H, W]`, … of any type to `[N, C1 + C2 + …, H, W]`.
pub fn concat_channels(tape: &mut Tape, values: &[Value]) -> Result<Value> {
    if values.len() == 1 {
        return Ok(values[0].clone());
    }
    if values.is_empty() {
        return Err(Error::shape("concat_channels", "nothing to concatenate"));
    }
    let tensors: Vec<&Tensor> = values.iter().map(Value::tensor).collect();
    let y = Tensor::cat(&tensors, 1)?;
    let parts: Vec<_> = values.iter().map(|value| (value.slot(), value.dims()[1])).collect();
    let inputs: Vec<&Value> = values.iter().collect();
    Ok(tape.record(Operator::new("concat_channels"), &inputs, y, move |dy, gradients| {
        let mut start = 0;
        for (slot, channels) in parts {
            if slot.is_some() {
                // A copy, never a view: the slot may change it in place.
                gradients.add(slot, Gradient::new(dy.tensor().narrow(1, start, channels)?.copy()?.contiguous()?))?;
            }
            start += channels;
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
        check(&[&[2, 3, 2, 5], &[2, 1, 2, 5], &[2, 2, 2, 5]], concat_channels);
        check_half(&[&[2, 3, 2, 5], &[2, 1, 2, 5], &[2, 2, 2, 5]], concat_channels);
        check(&[&[2, 3, 2, 5], &[2, 1, 2, 5]], |tape, v| {
            let twice = concat_channels(tape, &[v[0].clone(), v[1].clone(), v[0].clone()])?;
            super::super::relu(tape, twice)
        });
    }
}
