//! Images to vectors.

use crate::error::Result;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Flattens `[N, C, H, W]` of any type to `[N, C H W]`.
pub fn flatten(tape: &mut Tape, x: Value) -> Result<Value> {
    let (slot, dims) = (x.slot(), x.dims().to_vec());
    let y = x.tensor().flatten_from(1)?;
    Ok(tape.record(Operator::new("flatten"), &[&x], y, move |dy, gradients| {
        // The reshaped gradient shares the storage, so it must not be handed on as our own while `dy` lives elsewhere.
        gradients.add(slot, Gradient::new(dy.into_owned()?.reshape(dims)?))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 3, 2, 5]], |tape, v| flatten(tape, v[0].clone()));
        check_half(&[&[2, 3, 2, 5]], |tape, v| flatten(tape, v[0].clone()));
    }
}
