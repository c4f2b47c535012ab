//! Max pooling.

use candle_core::Tensor;

use super::precision::widened;
use super::taps::Taps;
use crate::element::{read, tensor, with_element, zeros};
use crate::error::{Error, Result};
use crate::kernels::max_pool;
use crate::kernels::shape::ConvShape;
use crate::recorder::{Attributes, Operator};
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
    pub(super) fn attributes(self) -> Attributes {
        vec![("kernel", self.kernel.into()), ("stride", self.stride.into()), ("padding", self.padding.into())]
    }

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

/// Takes the maximum of every window, or NaN if the window holds one: `[N, C, H, W]` to `[N, C, OH, OW]`,
/// `OH = floor((H + 2 p - k) / s) + 1`. Of equal numbers the first in reading order gets the gradient, as PyTorch.
///
/// Every type in itself: a maximum rounds nothing. Where windows overlap, gradients of `f16` and `bf16` are added in
/// `f32`.
pub fn max_pool2d(tape: &mut Tape, x: Value, settings: Pool2dSettings) -> Result<Value> {
    let s = settings.shape("max_pool2d", &x)?;
    let dims = (s.n, s.output.0, s.output.1, s.output.2);
    let slot = x.slot();
    let attributes = || settings.attributes();
    let operator = Operator::with("max_pool2d", &attributes);
    if tape.kernels(x.tensor()) {
        return with_element!(x.tensor(), T => {
            let count = s.n * s.output.0 * s.output.1 * s.output.2;
            let (mut y, mut winners) = (zeros::<T>(count), vec![0u32; count]);
            read::<T, _>(x.tensor(), |x| max_pool::forward(&s, x, &mut y, &mut winners))?;
            let input = x.dims().to_vec();
            Ok(tape.record(operator, &[&x], tensor(y, dims)?, move |dy, gradients| {
                let Some(slot) = slot else { return Ok(()) };
                read::<T, _>(dy.tensor(), |dy| {
                    gradients.accumulate::<T>(slot, &input, |dx, _| max_pool::backward(&s, &winners, dy, dx))
                })?
            }))
        });
    }
    composed(tape, operator, x, s)
}

/// Walks the window tap by tap, with the best number so far and the number of its tap.
fn composed(tape: &mut Tape, operator: Operator<'_>, x: Value, s: ConvShape) -> Result<Value> {
    let taps = Taps::new(&s);
    let padded = taps.pad(x.tensor(), f64::NEG_INFINITY)?;
    let mut best: Option<(Tensor, Tensor)> = None;
    for (number, tap) in taps.all().enumerate() {
        let view = taps.view(&padded, tap)?.contiguous()?;
        let this = Tensor::full(number as u32, view.shape(), view.device())?;
        best = Some(match best {
            None => (view, this),
            Some((value, winner)) => {
                // Candle's `maximum` drops a NaN on one side; a NaN must win and stay. Numbers only win where greater,
                // so that the first of equals does.
                let wins = (view.gt(&value)? + view.ne(&view)?)?;
                (wins.where_cond(&view, &value)?, wins.where_cond(&this, &winner)?)
            }
        });
    }
    let (y, winner) = best.ok_or_else(|| Error::shape("max_pool2d", "an empty window"))?;
    let slot = x.slot();
    Ok(tape.record(operator, &[&x], y, move |dy, gradients| {
        let (taps, dy) = (Taps::new(&s), dy.tensor());
        let mut dx: Option<Tensor> = None;
        for (number, tap) in taps.all().enumerate() {
            let won = winner.eq(number as u32)?.where_cond(dy, &dy.zeros_like()?)?;
            let placed = taps.place(&widened(&won)?, tap)?;
            dx = Some(match dx {
                None => placed,
                Some(dx) => (dx + placed)?,
            });
        }
        match dx {
            Some(dx) => gradients.add(slot, Gradient::new(dx.to_dtype(dy.dtype())?)),
            None => Ok(()),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half, gradient};
    use crate::tape::Engine;
    use candle_core::{DType, Device};

    #[test]
    fn gradients_are_right() {
        for (kernel, stride, padding) in [(3, 2, 1), (2, 2, 0), (3, 1, 1), (3, 3, 0), (2, 3, 1)] {
            for dims in [[2, 2, 7, 9], [1, 3, 8, 5]] {
                let settings = Pool2dSettings { kernel, stride, padding };
                check(&[&dims], |tape, v| max_pool2d(tape, v[0].clone(), settings));
                check_half(&[&dims], |tape, v| max_pool2d(tape, v[0].clone(), settings));
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
    #[test]
    fn a_broken_step_shows_on_every_engine() -> Result<()> {
        let settings = Pool2dSettings { kernel: 2, stride: 2, padding: 1 };
        let numbers = [f64::NAN, 5.0, 1.0, f64::NEG_INFINITY, 2.0, f64::NAN, 7.0, 3.0, 4.0];
        for (engine, dtype) in
            [(Engine::Kernels, DType::F64), (Engine::Composed, DType::F64), (Engine::Composed, DType::F16)]
        {
            let mut tape = Tape::train(0, 0).with_engine(engine);
            let x = tape.variable(&Tensor::new(&numbers, &Device::Cpu)?.reshape((1, 1, 3, 3))?.to_dtype(dtype)?)?;
            let y = max_pool2d(&mut tape, x.clone(), settings)?;
            let found = y.tensor().flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
            assert!(found[0].is_nan() && found[3].is_nan(), "{engine:?} {dtype:?}: {found:?}");
            assert_eq!(found[1..3], [5.0, 7.0], "{engine:?} {dtype:?}");
            let sum = crate::ops::candle_node(&mut tape, &[y], |t| t[0].sum_all())?;
            let dx = tape.backward(&sum, 1.0)?.take(&x).unwrap().flatten_all()?.to_dtype(DType::F64)?;
            assert_eq!(dx.to_vec1::<f64>()?, [1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0], "{engine:?} {dtype:?}");
        }
        Ok(())
    }
}
