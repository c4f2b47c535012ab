//! The leaky rectifier (Maas et al. 2013).

use candle_core::Tensor;

use crate::element::{Element, modify, read, tensor, with_element};
use crate::error::{Error, Result};
use crate::kernels::elementwise;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Computes `x` where it is positive and `slope x` elsewhere, and NaN for NaN; `slope` is in 0 to 1. The gradient at
/// exactly 0 is `slope`, as in PyTorch.
///
/// Every type in itself. The gradient is told from the output, so the input need not stay in memory.
///
/// # Errors
/// A slope outside 0 to 1.
pub fn leaky_relu(tape: &mut Tape, x: Value, slope: f64) -> Result<Value> {
    if !(0.0..=1.0).contains(&slope) {
        return Err(Error::settings(format!("the slope of a leaky rectifier must be in 0 to 1, got {slope}")));
    }
    let kernels = tape.kernels(x.tensor());
    let y = if kernels {
        with_element!(x.tensor(), T => {
            let low = T::of(slope);
            let y = read::<T, _>(x.tensor(), |x| elementwise::map(x, |v| if v <= 0.0 { v * low } else { v }))?;
            tensor(y, x.dims())?
        })
    } else {
        bent(x.tensor(), x.tensor(), slope)?
    };
    let attributes = || vec![("slope", slope.into())];
    let (slot, saved) = (x.slot(), y.clone());
    Ok(tape.record(Operator::with("leaky_relu", &attributes), &[&x], y, move |dy, gradients| {
        let dy = dy.into_owned()?;
        if !kernels {
            return gradients.add(slot, Gradient::new(bent(&dy, &saved, slope)?));
        }
        with_element!(saved, T => {
            let low = T::of(slope);
            read::<T, _>(&saved, |y| {
                modify::<T, _>(&dy, |dy| elementwise::update(dy, y, |g, y| if y <= 0.0 { *g *= low }))
            })??;
        });
        gradients.add(slot, Gradient::new(dy))
    }))
}

/// `x` times `slope` where `by` is 0 or less, composed.
fn bent(x: &Tensor, by: &Tensor, slope: f64) -> Result<Tensor> {
    Ok(by.le(0.0)?.where_cond(&(x * slope)?, x)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half, gradient};
    use candle_core::Device;

    #[test]
    fn gradients_are_right() {
        for slope in [0.1, 0.5] {
            check(&[&[2, 3, 5, 3]], |tape, v| leaky_relu(tape, v[0].clone(), slope));
            check_half(&[&[2, 3, 5, 3]], |tape, v| leaky_relu(tape, v[0].clone(), slope));
        }
    }

    #[test]
    fn negative_numbers_are_scaled() -> Result<()> {
        let x = Tensor::new(&[-2f64, 0.0, 3.0], &Device::Cpu)?;
        let mut tape = Tape::eval();
        let on_tape = tape.constant(&x)?;
        assert_eq!(leaky_relu(&mut tape, on_tape.clone(), 0.25)?.tensor().to_vec1::<f64>()?, [-0.5, 0.0, 3.0]);
        for dx in gradient(&x, |tape, x| leaky_relu(tape, x, 0.25)) {
            assert_eq!(dx, [0.25, 0.25, 1.0]);
        }
        assert!(leaky_relu(&mut tape, on_tape, 1.5).unwrap_err().to_string().contains("0 to 1, got 1.5"));
        Ok(())
    }
}
