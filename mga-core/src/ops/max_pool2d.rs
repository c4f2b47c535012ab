//! Max pooling.

use candle_core::Tensor;

use super::taps::Taps;
use crate::element::{read, tensor, with_element, zeros};
use crate::error::{Error, Result};
use crate::kernels::convolution::ConvShape;
use crate::kernels::max_pool;
use crate::tape::{Gradient, Tape, Value};

/// Window, step and border of a pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool2dSettings {
    /// Side of the window.
    pub kernel: usize,
    /// Step.
    pub stride: usize,
    /// Border on every side: never chosen by a maximum, counted as zeros by an average. At most half the window.
    pub padding: usize,
}

impl Pool2dSettings {
    pub(super) fn shape(&self, op: &'static str, x: &Value) -> Result<ConvShape> {
        let (n, c, h, w) = x.dims4()?;
        let out =
            |size: usize| (size + 2 * self.padding).checked_sub(self.kernel).map(|room| room / self.stride.max(1) + 1);
        let fits = self.kernel > 0 && self.stride > 0 && self.padding * 2 <= self.kernel;
        match (out(h), out(w)) {
            (Some(oh), Some(ow)) if fits => Ok(ConvShape {
                n,
                input: (c, h, w),
                output: (c, oh, ow),
                kernel: (self.kernel, self.kernel),
                stride: self.stride,
                padding: (self.padding, self.padding),
                dilation: 1,
                groups: c,
            }),
            _ => Err(Error::shape(op, format!("x {:?} does not fit {self:?}", x.dims()))),
        }
    }
}

/// The greatest number of every window: `[N, C, H, W]` to `[N, C, OH, OW]`, `OH = floor((H + 2 p - k) / s) + 1`. Of equal
/// numbers the first in reading order gets the gradient, as PyTorch.
pub fn max_pool2d(tape: &mut Tape, x: Value, settings: Pool2dSettings) -> Result<Value> {
    let s = settings.shape("max_pool2d", &x)?;
    let dims = (s.n, s.output.0, s.output.1, s.output.2);
    let slot = x.slot();
    if tape.kernels(x.tensor()) {
        return with_element!(x.tensor(), T => {
            let count = s.n * s.output.0 * s.output.1 * s.output.2;
            let (mut y, mut winners) = (zeros::<T>(count), vec![0u32; count]);
            read::<T, _>(x.tensor(), |x| max_pool::forward(&s, x, &mut y, &mut winners))?;
            let input = x.dims().to_vec();
            Ok(tape.record(&[&x], tensor(y, dims)?, move |dy, gradients| {
                let Some(slot) = slot else { return Ok(()) };
                read::<T, _>(dy.tensor(), |dy| {
                    gradients.accumulate::<T>(slot, &input, |dx, _| max_pool::backward(&s, &winners, dy, dx))
                })?
            }))
        });
    }
    let taps = Taps::new(&s);
    // Below every finite number of the type, and itself finite, so that no padding is taken for a NaN.
    let lowest = if x.tensor().dtype() == candle_core::DType::F16 { -65504.0 } else { -3e38 };
    let padded = taps.pad(x.tensor(), lowest)?;
    let mut best: Option<Tensor> = None;
    for tap in taps.all() {
        let view = taps.view(&padded, tap)?;
        best = Some(match best {
            None => view.contiguous()?,
            Some(best) => best.maximum(&view)?,
        });
    }
    let y = best.ok_or_else(|| Error::shape("max_pool2d", "an empty window"))?;
    let saved = y.clone();
    Ok(tape.record(&[&x], y, move |dy, gradients| {
        let taps = Taps::new(&s);
        let mut open = saved.ones_like()?;
        let mut dx: Option<Tensor> = None;
        for tap in taps.all() {
            let wins = taps.view(&padded, tap)?.eq(&saved)?.to_dtype(saved.dtype())?;
            let first = (&wins * &open)?;
            open = (&open - &first)?;
            let placed = taps.place(&(first * dy.tensor())?, tap)?;
            dx = Some(match dx {
                None => placed,
                Some(dx) => (dx + placed)?,
            });
        }
        match dx {
            Some(dx) => gradients.add(slot, Gradient::new(dx)),
            None => Ok(()),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, gradient};
    use candle_core::Device;

    #[test]
    fn gradients_are_right() {
        for (kernel, stride, padding) in [(3, 2, 1), (2, 2, 0), (3, 1, 1), (3, 3, 0), (2, 3, 1)] {
            for dims in [[2, 2, 7, 9], [1, 3, 8, 5]] {
                check(&[&dims], |tape, v| max_pool2d(tape, v[0].clone(), Pool2dSettings { kernel, stride, padding }));
            }
        }
    }

    #[test]
    fn one_maximum_gets_the_whole_gradient() -> Result<()> {
        // Candle's own backward gives 0.25 here, and 1 to each of several equal maxima.
        let settings = Pool2dSettings { kernel: 2, stride: 2, padding: 0 };
        let x = Tensor::new(&[[[[1f64, 2.0], [3.0, 4.0]]]], &Device::Cpu)?;
        for dx in gradient(&x, |tape, x| max_pool2d(tape, x, settings)) {
            assert_eq!(dx, [0.0, 0.0, 0.0, 1.0]);
        }
        let ties = Tensor::zeros((1, 1, 2, 2), candle_core::DType::F64, &Device::Cpu)?;
        for dx in gradient(&ties, |tape, x| max_pool2d(tape, x, settings)) {
            assert_eq!(dx, [1.0, 0.0, 0.0, 0.0]);
        }
        Ok(())
    }
}
