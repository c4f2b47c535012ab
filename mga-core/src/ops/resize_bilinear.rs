//! Bilinear resizing, as PyTorch's `interpolate(mode = "bilinear", align_corners = False)`: no smoothing when it shrinks.

use std::rc::Rc;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::element::{Element, read, tensor, with_element, zeros};
use crate::error::{Error, Result};
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

use super::precision::widened;

/// Where one output looks along a side: two neighbours, and the weight of the second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tap {
    low: usize,
    high: usize,
    weight: f64,
}

/// One side: its size, and the tap of every output.
#[derive(Debug)]
struct Side {
    size: usize,
    taps: Vec<Tap>,
}

impl Side {
    /// Outputs are `step` inputs apart, their centres aligned with the inputs': `(i + 0.5) step - 0.5`, at least 0.
    fn new(size: usize, out: usize, step: f64) -> Self {
        let tap = |i: usize| {
            let at = ((i as f64 + 0.5) * step - 0.5).max(0.0);
            let low = (at as usize).min(size - 1);
            Tap { low, high: (low + 1).min(size - 1), weight: at - low as f64 }
        };
        Self { size, taps: (0..out).map(tap).collect() }
    }

    /// `[out, in]`: the resizing as a matrix.
    fn matrix(&self, like: &Tensor) -> Result<Tensor> {
        let mut rows = vec![0f64; self.taps.len() * self.size];
        for (row, tap) in rows.chunks_exact_mut(self.size).zip(&self.taps) {
            row[tap.low] += 1.0 - tap.weight;
            row[tap.high] += tap.weight;
        }
        let matrix = Tensor::from_vec(rows, (self.taps.len(), self.size), &Device::Cpu)?;
        Ok(matrix.to_dtype(like.dtype())?.to_device(like.device())?)
    }
}

/// Resizes `[N, C, H, W]` to `[N, C, h, w]` bilinearly; outputs are `H / h` and `W / w` apart. `f16` and `bf16` are
/// computed in `f32` and rounded once.
pub fn resize_bilinear(tape: &mut Tape, x: Value, (h, w): (usize, usize)) -> Result<Value> {
    let (_, _, in_h, in_w) = x.dims4()?;
    if h == 0 || w == 0 || in_h == 0 || in_w == 0 {
        return Err(Error::shape("resize_bilinear", format!("{:?} to {h} x {w}", x.dims())));
    }
    if (h, w) == (in_h, in_w) {
        return Ok(x);
    }
    let step = |from: usize, to: usize| from as f64 / to as f64;
    let attributes = || vec![("size", (h, w).into())];
    let operator = Operator::with("resize_bilinear", &attributes);
    resize(tape, operator, x, Side::new(in_h, h, step(in_h, h)), Side::new(in_w, w, step(in_w, w)))
}

/// Resizes `[N, C, H, W]` to `[N, C, floor(factor H), floor(factor W)]` bilinearly. Outputs are `1 / factor` apart,
/// whatever the rounding of the sizes (PyTorch's `scale_factor`, unless it recomputes the factor).
pub fn scale_bilinear(tape: &mut Tape, x: Value, factor: f64) -> Result<Value> {
    let (_, _, in_h, in_w) = x.dims4()?;
    let size = |side: usize| (side as f64 * factor) as usize;
    if !factor.is_finite() || in_h == 0 || in_w == 0 || size(in_h) == 0 || size(in_w) == 0 {
        return Err(Error::shape("scale_bilinear", format!("{:?} by a factor of {factor}", x.dims())));
    }
    let attributes = || vec![("factor", factor.into())];
    let operator = Operator::with("scale_bilinear", &attributes);
    resize(tape, operator, x, Side::new(in_h, size(in_h), 1.0 / factor), Side::new(in_w, size(in_w), 1.0 / factor))
}

/// Composed: two matrix products, `A X B^T`.
fn resize(tape: &mut Tape, operator: Operator<'_>, x: Value, rows: Side, columns: Side) -> Result<Value> {
    let (n, c, h, w) = x.dims4()?;
    let out = (rows.taps.len(), columns.taps.len());
    let slot = x.slot();
    if tape.kernels(x.tensor()) {
        let sides = Rc::new((rows, columns));
        return with_element!(x.tensor(), T => {
            let mut y = zeros::<T>(n * c * out.0 * out.1);
            read::<T, _>(x.tensor(), |x| forward(&sides, x, &mut y))?;
            Ok(tape.record(operator, &[&x], tensor(y, (n, c, out.0, out.1))?, move |dy, gradients| {
                let Some(slot) = slot else { return Ok(()) };
                read::<T, _>(dy.tensor(), |dy| {
                    gradients.accumulate::<T>(slot, &[n, c, h, w], |dx, _| backward(&sides, dy, dx))
                })?
            }))
        });
    }
    let (dtype, x_wide) = (x.tensor().dtype(), widened(x.tensor())?);
    let (a, b) = (rows.matrix(&x_wide)?, columns.matrix(&x_wide)?);
    let wide = x_wide.reshape((n * c * h, w))?.matmul(&b.t()?.contiguous()?)?;
    let y = a.broadcast_left(n * c)?.matmul(&wide.reshape((n * c, h, out.1))?)?.to_dtype(dtype)?;
    Ok(tape.record(operator, &[&x], y.reshape((n, c, out.0, out.1))?, move |dy, gradients| {
        let dy = widened(dy.tensor())?.reshape((n * c, out.0, out.1))?;
        let wide = a.t()?.contiguous()?.broadcast_left(n * c)?.matmul(&dy)?;
        let dx = wide.reshape((n * c * h, out.1))?.matmul(&b)?;
        gradients.add(slot, Gradient::new(dx.reshape((n, c, h, w))?.to_dtype(dtype)?))
    }))
}

fn forward<T: Element>((rows, columns): &(Side, Side), x: &[T], y: &mut [T]) {
    let (height, width) = (rows.taps.len(), columns.taps.len());
    let one = T::of(1.0);
    y.par_chunks_mut(width).enumerate().with_min_len(16).for_each(|(index, y)| {
        let plane = &x[index / height * rows.size * columns.size..][..rows.size * columns.size];
        let down = rows.taps[index % height];
        let line = |row: usize| &plane[row * columns.size..][..columns.size];
        let (top, bottom, below) = (line(down.low), line(down.high), T::of(down.weight));
        for (y, across) in y.iter_mut().zip(&columns.taps) {
            let right = T::of(across.weight);
            let mix = |line: &[T]| (one - right) * line[across.low] + right * line[across.high];
            *y = (one - below) * mix(top) + below * mix(bottom);
        }
    });
}

fn backward<T: Element>((rows, columns): &(Side, Side), dy: &[T], dx: &mut [T]) {
    let (height, width) = (rows.taps.len(), columns.taps.len());
    let one = T::of(1.0);
    dx.par_chunks_mut(rows.size * columns.size).zip(dy.par_chunks(height * width)).for_each(|(dx, dy)| {
        for (dy, down) in dy.chunks_exact(width).zip(&rows.taps) {
            for (row, part) in [(down.low, one - T::of(down.weight)), (down.high, T::of(down.weight))] {
                let line = &mut dx[row * columns.size..][..columns.size];
                for (&g, across) in dy.iter().zip(&columns.taps) {
                    let right = T::of(across.weight);
                    line[across.low] += part * (one - right) * g;
                    line[across.high] += part * right * g;
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_half};

    #[test]
    fn gradients_are_right() {
        for (dims, size) in
            [([2, 2, 3, 4], (6, 9)), ([1, 3, 7, 5], (3, 4)), ([2, 1, 1, 1], (3, 2)), ([1, 1, 2, 6], (5, 3))]
        {
            check(&[&dims], |tape, v| resize_bilinear(tape, v[0].clone(), size));
            check_half(&[&dims], |tape, v| resize_bilinear(tape, v[0].clone(), size));
        }
        for factor in [0.5, 2.0, 1.7] {
            check(&[&[1, 2, 5, 4]], |tape, v| scale_bilinear(tape, v[0].clone(), factor));
        }
    }

    fn row(x: &[f64], op: impl Fn(&mut Tape, Value) -> Result<Value>) -> Result<Vec<f64>> {
        let mut tape = Tape::eval();
        let x = tape.constant(&Tensor::from_slice(x, (1, 1, 1, x.len()), &Device::Cpu)?)?;
        Ok(op(&mut tape, x)?.tensor().flatten_all()?.to_vec1()?)
    }

    #[test]
    fn centres_are_aligned() -> Result<()> {
        // Outputs lie at -0.25 (held at 0), 0.25, 0.75 and 1.25 (held at 1).
        assert_eq!(row(&[0.0, 1.0], |tape, x| resize_bilinear(tape, x, (1, 4)))?, [0.0, 0.25, 0.75, 1.0]);
        // Shrinking takes the two nearest alone.
        assert_eq!(row(&[0.0, 1.0, 2.0, 9.0, 4.0, 5.0], |tape, x| resize_bilinear(tape, x, (1, 2)))?, [1.0, 4.0]);
        Ok(())
    }

    #[test]
    fn a_factor_keeps_its_step_where_sizes_round() -> Result<()> {
        // 3 pixels by 1.5 are 4, which lie 2/3 apart; resizing to 4 puts them 3/4 apart.
        let near = |got: Vec<f64>, want: [f64; 4]| got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-12);
        let x = [0.0, 3.0, 6.0];
        assert!(near(row(&x, |tape, x| scale_bilinear(tape, x, 1.5))?, [0.0, 1.5, 3.5, 5.5]));
        assert!(near(row(&x, |tape, x| resize_bilinear(tape, x, (1, 4)))?, [0.0, 1.875, 4.125, 6.0]));
        Ok(())
    }

    #[test]
    fn nothing_is_an_error() -> Result<()> {
        assert!(row(&[1.0], |tape, x| resize_bilinear(tape, x, (0, 1))).is_err());
        assert!(row(&[1.0], |tape, x| scale_bilinear(tape, x, 0.5)).is_err());
        assert!(row(&[1.0], |tape, x| scale_bilinear(tape, x, f64::NAN)).is_err());
        Ok(())
    }
}
