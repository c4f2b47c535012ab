//! Rectifier.

use super::own;
use crate::element::{modify, read, tensor, with_element};
use crate::error::Result;
use crate::kernels::elementwise;
use crate::tape::{Gradient, Tape, Value};

/// `max(x, 0)`. The gradient at exactly 0 is 0, as PyTorch's (candle's own is 1).
pub fn relu(tape: &mut Tape, x: Value) -> Result<Value> {
    let kernels = tape.kernels(x.tensor());
    let y = if kernels {
        with_element!(x.tensor(), T => {
            let y = read::<T, _>(x.tensor(), |x| elementwise::map(x, |v| if v < 0.0 { 0.0 } else { v }))?;
            tensor(y, x.dims())?
        })
    } else {
        x.tensor().relu()?
    };
    let (slot, saved) = (x.slot(), y.clone());
    Ok(tape.record(&[&x], y, move |dy, gradients| gradients.add(slot, Gradient::new(gate(own(dy)?, &saved, kernels)?))))
}

/// `dy` where `y` is above 0, else 0; in place with kernels.
pub(super) fn gate(dy: candle_core::Tensor, y: &candle_core::Tensor, kernels: bool) -> Result<candle_core::Tensor> {
    if !kernels {
        return Ok((&dy * y.gt(0.0)?.to_dtype(dy.dtype())?)?);
    }
    with_element!(y, T => read::<T, _>(y, |y| {
        modify::<T, _>(&dy, |dy| elementwise::update(dy, y, |g, y| if y <= 0.0 { *g = 0.0 }))
    })??);
    Ok(dy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, gradient};
    use candle_core::{Device, Tensor};

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 3, 5, 3]], |tape, v| relu(tape, v[0].clone()));
    }

    #[test]
    fn the_gradient_at_zero_is_zero() -> Result<()> {
        let x = Tensor::new(&[-1f64, 0.0, 2.0], &Device::Cpu)?;
        for dx in gradient(&x, relu) {
            assert_eq!(dx, [0.0, 0.0, 1.0]);
        }
        Ok(())
    }
}
