//! Dropout of whole channels (Tompson et al. 2015).

use candle_core::Tensor;

use super::{dropout, scale_channels};
use crate::error::Result;
use crate::tape::{Phase, Tape, Value};

/// Zeroes each channel of each image of `x` `[N, C, H, W]` with probability `p` in training, and divides the others by
/// `1 - p` (PyTorch's `Dropout2d`); in evaluation it changes nothing. With one channel it drops whole images, which is
/// stochastic depth. It computes in the type of `x`.
pub fn channel_dropout(tape: &mut Tape, x: Value, p: f64) -> Result<Value> {
    let (n, c, _, _) = x.dims4()?;
    if p == 0.0 || tape.phase() == Phase::Eval {
        return Ok(x);
    }
    let ones = tape.constant(&Tensor::ones((n, c, 1, 1), x.tensor().dtype(), x.tensor().device())?)?;
    let kept = dropout(tape, ones, p)?;
    scale_channels(tape, x, kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};
    use candle_core::{DType, Device};

    #[test]
    fn gradients_are_right() {
        check(&[&[3, 4, 2, 3]], |tape, v| channel_dropout(tape, v[0].clone(), 0.4));
        check_half(&[&[3, 4, 2, 3]], |tape, v| channel_dropout(tape, v[0].clone(), 0.4));
    }

    #[test]
    fn a_channel_goes_or_stays_as_a_whole() -> Result<()> {
        let ones = Tensor::ones((10, 20, 2, 2), DType::F32, &Device::Cpu)?;
        let run = |mut tape: Tape| -> Result<Vec<Vec<f32>>> {
            let x = tape.constant(&ones)?;
            Ok(channel_dropout(&mut tape, x, 0.5)?.tensor().reshape((200, 4))?.to_vec2()?)
        };
        let planes = run(Tape::train(1, 1))?;
        assert!(planes.iter().all(|plane| plane == &[0.0; 4] || plane == &[2.0; 4]));
        let dropped = planes.iter().filter(|plane| plane[0] == 0.0).count();
        assert!((60..140).contains(&dropped), "{dropped} of 200");
        assert!(run(Tape::eval())?.iter().all(|plane| plane == &[1.0; 4]));
        Ok(())
    }
}
