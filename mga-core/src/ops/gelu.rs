//! The Gaussian error linear unit (Hendrycks and Gimpel 2016), exact, not its approximation by tanh.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use candle_core::Tensor;
use candle_core::cpu::erf::erf_f64;

use super::pointwise::{Pointwise, pointwise};
use crate::element::Element;
use crate::error::Result;
use crate::tape::{Tape, Value};

/// Computes `x Phi(x)`, with the normal distribution function `Phi(x) = (1 + erf(x / sqrt 2)) / 2`.
///
/// `f16` and `bf16`: computed in `f32` and rounded once.
pub fn gelu(tape: &mut Tape, x: Value) -> Result<Value> {
    pointwise::<Gelu>(tape, x)
}

/// `1 / sqrt(2 pi)`.
const DENSITY: f64 = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;

struct Gelu;

impl Gelu {
    fn distribution(x: f64) -> f64 {
        0.5 * (1.0 + erf_f64(x * FRAC_1_SQRT_2))
    }
}

impl Pointwise for Gelu {
    const NAME: &'static str = "gelu";

    fn value<T: Element>(x: T) -> T {
        T::of(x.wide() * Self::distribution(x.wide()))
    }
    fn slope<T: Element>(x: T) -> T {
        let x = x.wide();
        T::of(Self::distribution(x) + x * DENSITY * (-0.5 * x * x).exp())
    }
    fn composed(x: &Tensor) -> Result<Tensor> {
        Ok((x * composed_distribution(x)?)?)
    }
    fn composed_slope(x: &Tensor) -> Result<Tensor> {
        let density = ((x.sqr()? * -0.5)?.exp()? * DENSITY)?;
        Ok((composed_distribution(x)? + (x * density)?)?)
    }
}

fn composed_distribution(x: &Tensor) -> Result<Tensor> {
    Ok(((x * FRAC_1_SQRT_2)?.erf()?.affine(0.5, 0.5))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};
    use candle_core::Device;

    #[test]
    fn gradients_are_right() {
        check(&[&[2, 3, 7]], |tape, v| gelu(tape, v[0].clone()));
        check_half(&[&[2, 3, 7]], |tape, v| gelu(tape, v[0].clone()));
    }

    #[test]
    fn it_is_the_exact_one() -> Result<()> {
        let mut tape = Tape::eval();
        let x = tape.constant(&Tensor::new(&[-1f64, 0.0, 1.0, 40.0], &Device::Cpu)?)?;
        let y = gelu(&mut tape, x)?.tensor().to_vec1::<f64>()?;
        // Phi(1) = 0.84134474606854...; the approximation by tanh gives 0.84119.
        let want = [-0.158_655_253_931_457, 0.0, 0.841_344_746_068_543, 40.0];
        assert!(y.iter().zip(want).all(|(y, want)| (y - want).abs() < 1e-12), "{y:?}");
        Ok(())
    }
}
