//! Dropout (Srivastava et al. 2014).

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Phase, Tape, Value};

/// Zeroes each number with probability `p` in training, and divides the others by `1 - p`; in evaluation it changes
/// nothing. The numbers are drawn from the tape's generator and depend only on seed, step and place in the network
/// (candle's own dropout cannot be seeded). They are the same on every device and for every type. It computes in the
/// type of `x`.
pub fn dropout(tape: &mut Tape, x: Value, p: f64) -> Result<Value> {
    if !(0.0..1.0).contains(&p) {
        return Err(Error::settings(format!("dropout must be at least 0 and below 1, got {p}")));
    }
    if p == 0.0 || tape.phase() == Phase::Eval {
        return Ok(x);
    }
    let mut generator = tape.generator("dropout");
    let kept = 1.0 / (1.0 - p);
    let mask: Vec<f64> = (0..x.tensor().elem_count()).map(|_| if generator.chance(p) { 0.0 } else { kept }).collect();
    let mask =
        Tensor::from_vec(mask, x.dims(), &Device::Cpu)?.to_dtype(x.tensor().dtype())?.to_device(x.tensor().device())?;
    let attributes = || vec![("p", p.into())];
    let (slot, y) = (x.slot(), (x.tensor() * &mask)?);
    Ok(tape.record(Operator::with("dropout", &attributes), &[&x], y, move |dy, gradients| {
        gradients.add(slot, Gradient::new((dy.tensor() * mask)?))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};

    #[test]
    fn gradients_are_right() {
        check(&[&[5, 7]], |tape, v| dropout(tape, v[0].clone(), 0.4));
        check_half(&[&[5, 7]], |tape, v| dropout(tape, v[0].clone(), 0.4));
    }

    #[test]
    fn seed_and_step_decide() -> Result<()> {
        let run = |seed, step| -> Result<Vec<f32>> {
            let mut tape = Tape::train(seed, step);
            let x = tape.constant(&Tensor::ones(4000, candle_core::DType::F32, &Device::Cpu)?)?;
            Ok(dropout(&mut tape, x, 0.25)?.tensor().to_vec1()?)
        };
        assert_eq!(run(1, 1)?, run(1, 1)?);
        assert_ne!(run(1, 1)?, run(1, 2)?);
        let mean = run(1, 1)?.iter().sum::<f32>() / 4000.0;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
        Ok(())
    }
}
