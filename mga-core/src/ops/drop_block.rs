//! DropBlock (Ghiasi et al. 2018): dropout of squares of a map, whose neighbours cannot stand in for what is missing.

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::random::Generator;
use crate::recorder::Operator;
use crate::tape::{Gradient, Phase, Tape, Value};

/// Zeroes squares of `block x block` of each channel of `x` `[N, C, H, W]` in training, and scales the rest so that as
/// much is left as before; in evaluation it changes nothing.
///
/// A square starts at each position where it fits with the probability `rate / block^2 * H W / ((H - block + 1) (W -
/// block + 1))`, so that about the fraction `rate` is zeroed where squares do not overlap. The rest is multiplied by the
/// numbers of the map over those that are left, counted in the whole batch, as MetaOptNet does (Lee et al. 2019). The
/// squares are drawn from the tape's generator, and depend only on seed, step and place in the network; they are the
/// same on every device and for every type. It computes in the type of `x`.
///
/// # Errors
/// A rate outside 0 to 1 (1 excluded), and a block that is 0 or larger than the map.
pub fn drop_block(tape: &mut Tape, x: Value, rate: f64, block: usize) -> Result<Value> {
    let (n, c, h, w) = x.dims4()?;
    if !(0.0..1.0).contains(&rate) {
        return Err(Error::settings(format!("drop block: the rate must be at least 0 and below 1, got {rate}")));
    }
    if rate == 0.0 || tape.phase() == Phase::Eval {
        return Ok(x);
    }
    let (Some(rows), Some(columns)) = ((h + 1).checked_sub(block), (w + 1).checked_sub(block)) else {
        return Err(Error::shape(
            "drop_block",
            format!("a block of {block} x {block} does not fit a map of {h} x {w}"),
        ));
    };
    if block == 0 || rows == 0 || columns == 0 {
        return Err(Error::shape(
            "drop_block",
            format!("a block of {block} x {block} does not fit a map of {h} x {w}"),
        ));
    }
    let start = rate / (block * block) as f64 * (h * w) as f64 / (rows * columns) as f64;
    let mut generator = tape.generator("drop block");
    let mask = kept(&mut generator, n * c, (h, w), block, start);
    let left: f64 = mask.iter().sum();
    let scale = if left > 0.0 { mask.len() as f64 / left } else { 0.0 };
    let (dtype, device) = (x.tensor().dtype(), x.tensor().device());
    let mask = (Tensor::from_vec(mask, x.dims(), &Device::Cpu)? * scale)?.to_dtype(dtype)?.to_device(device)?;
    let attributes = || vec![("rate", rate.into()), ("block", block.into())];
    let (slot, y) = (x.slot(), (x.tensor() * &mask)?);
    Ok(tape.record(Operator::with("drop_block", &attributes), &[&x], y, move |dy, gradients| {
        gradients.add(slot, Gradient::new((dy.tensor() * mask)?))
    }))
}

/// 1 for what stays of `planes` maps of `(h, w)`, 0 for what lies in a square; a square starts with probability `start`.
fn kept(generator: &mut Generator, planes: usize, (h, w): (usize, usize), block: usize, start: f64) -> Vec<f64> {
    let mut kept = vec![1.0; planes * h * w];
    for plane in kept.chunks_exact_mut((h * w).max(1)) {
        for top in 0..=h - block {
            for left in 0..=w - block {
                if generator.chance(start) {
                    for row in plane.chunks_exact_mut(w).skip(top).take(block) {
                        row.iter_mut().skip(left).take(block).for_each(|number| *number = 0.0);
                    }
                }
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};
    use candle_core::DType;

    #[test]
    fn gradients_are_right() {
        check(&[&[3, 4, 6, 5]], |tape, v| drop_block(tape, v[0].clone(), 0.3, 3));
        check_half(&[&[3, 4, 6, 5]], |tape, v| drop_block(tape, v[0].clone(), 0.3, 3));
    }

    fn dropped(mut tape: Tape, rate: f64, block: usize) -> Result<Vec<Vec<f64>>> {
        let x = tape.constant(&Tensor::ones((16, 32, 10, 10), DType::F64, &Device::Cpu)?)?;
        Ok(drop_block(&mut tape, x, rate, block)?.tensor().reshape((512, 100))?.to_vec2()?)
    }

    #[test]
    fn whole_squares_go_and_the_sum_stays() -> Result<()> {
        let planes = dropped(Tape::train(1, 1), 0.1, 5)?;
        let sum: f64 = planes.iter().flatten().sum();
        assert!((sum - 51_200.0).abs() < 1e-6, "{sum}");
        let zeros = planes.iter().flatten().filter(|&&v| v == 0.0).count() as f64 / 51_200.0;
        assert!((0.07..0.11).contains(&zeros), "{zeros}");
        // Every zero lies in a square of 5 x 5 zeros.
        for plane in planes {
            let zero = |y: usize, x: usize| plane[y * 10 + x] == 0.0;
            let square = |y: usize, x: usize| (y..y + 5).all(|y| (x..x + 5).all(|x| zero(y, x)));
            let mut covered = [false; 100];
            for (y, x) in (0..36).map(|i| (i / 6, i % 6)).filter(|&(y, x)| square(y, x)) {
                (0..25).for_each(|i| covered[(y + i / 5) * 10 + x + i % 5] = true);
            }
            assert!((0..100).all(|i| (plane[i] == 0.0) == covered[i]));
        }
        Ok(())
    }

    #[test]
    fn seed_and_step_decide() -> Result<()> {
        assert_eq!(dropped(Tape::train(1, 1), 0.2, 3)?, dropped(Tape::train(1, 1), 0.2, 3)?);
        assert_ne!(dropped(Tape::train(1, 1), 0.2, 3)?, dropped(Tape::train(1, 2), 0.2, 3)?);
        assert!(dropped(Tape::eval(), 0.2, 3)?.iter().flatten().all(|&v| v == 1.0));
        Ok(())
    }

    #[test]
    fn a_map_that_goes_as_a_whole_is_zero_and_no_nan() -> Result<()> {
        let mut tape = Tape::train(0, 0);
        let x = tape.constant(&Tensor::ones((1, 1, 5, 5), DType::F32, &Device::Cpu)?)?;
        // A rate just below 1: the only square of the only map goes.
        let y = drop_block(&mut tape, x, 1.0 - 1e-12, 5)?.tensor().flatten_all()?.to_vec1::<f32>()?;
        assert_eq!(y, [0.0; 25]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_told() -> Result<()> {
        for (rate, block, words) in
            [(0.1, 11, "11 x 11 does not fit a map of 10 x 10"), (0.1, 0, "0 x 0"), (1.0, 3, "below 1")]
        {
            let message = dropped(Tape::train(0, 0), rate, block).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
        Ok(())
    }
}
