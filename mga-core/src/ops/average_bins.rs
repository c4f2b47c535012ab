//! Averages over rectangular bins: what average pooling and adaptive average pooling have in common.

use std::ops::Range;
use std::rc::Rc;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::precision::matmul;
use crate::element::{Element, read, tensor, with_element, zeros};
use crate::error::Result;
use crate::recorder::Operator;
use crate::tape::{Gradient, Tape, Value};

/// Bins along one side: which inputs each output averages, and by how much their sum is divided.
#[derive(Debug, Clone)]
pub(super) struct Bins {
    pub(super) size: usize,
    pub(super) ranges: Vec<Range<usize>>,
    pub(super) divisors: Vec<f64>,
}

impl Bins {
    /// `[out, in]`: the averaging as a matrix.
    fn matrix(&self, like: &Tensor) -> Result<Tensor> {
        let mut rows = vec![0f64; self.ranges.len() * self.size];
        for (index, (range, divisor)) in self.ranges.iter().zip(&self.divisors).enumerate() {
            rows[index * self.size..][..self.size][range.clone()].fill(1.0 / divisor);
        }
        let matrix = Tensor::from_vec(rows, (self.ranges.len(), self.size), &Device::Cpu)?;
        Ok(matrix.to_dtype(like.dtype())?.to_device(like.device())?)
    }
}

/// `[N, C, H, W]` to `[N, C, rows, columns]`. Composed: two matrix products, `A X B^T`, each rounded to the type.
pub(super) fn average_bins(
    tape: &mut Tape,
    operator: Operator<'_>,
    x: Value,
    rows: Bins,
    columns: Bins,
) -> Result<Value> {
    let (n, c, h, w) = x.dims4()?;
    let out = (rows.ranges.len(), columns.ranges.len());
    let slot = x.slot();
    if tape.kernels(x.tensor()) {
        let bins = Rc::new((rows, columns));
        return with_element!(x.tensor(), T => {
            let mut y = zeros::<T>(n * c * out.0 * out.1);
            read::<T, _>(x.tensor(), |x| forward(&bins, h * w, x, &mut y))?;
            Ok(tape.record(operator, &[&x], tensor(y, (n, c, out.0, out.1))?, move |dy, gradients| {
                let Some(slot) = slot else { return Ok(()) };
                read::<T, _>(dy.tensor(), |dy| {
                    gradients.accumulate::<T>(slot, &[n, c, h, w], |dx, _| backward(&bins, h * w, dy, dx))
                })?
            }))
        });
    }
    let (a, b) = (rows.matrix(x.tensor())?, columns.matrix(x.tensor())?);
    let planes = x.tensor().reshape((n * c, h, w))?;
    let right = b.t()?.contiguous()?.broadcast_left(n * c)?;
    let y = matmul(&matmul(&a.broadcast_left(n * c)?, &planes)?, &right)?;
    Ok(tape.record(operator, &[&x], y.reshape((n, c, out.0, out.1))?, move |dy, gradients| {
        let planes = dy.tensor().reshape((n * c, out.0, out.1))?;
        let left = a.t()?.contiguous()?.broadcast_left(n * c)?;
        let dx = matmul(&matmul(&left, &planes)?, &b.broadcast_left(n * c)?)?;
        gradients.add(slot, Gradient::new(dx.reshape((n, c, h, w))?))
    }))
}

fn forward<T: Element>((rows, columns): &(Bins, Bins), area: usize, x: &[T], y: &mut [T]) {
    let out = rows.ranges.len() * columns.ranges.len();
    y.par_chunks_mut(out).zip(x.par_chunks(area)).with_min_len(8).for_each(|(y, x)| {
        for (line, (range, down)) in
            y.chunks_exact_mut(columns.ranges.len()).zip(rows.ranges.iter().zip(&rows.divisors))
        {
            for (y, (across, divisor)) in line.iter_mut().zip(columns.ranges.iter().zip(&columns.divisors)) {
                let sum: T = range.clone().flat_map(|row| &x[row * columns.size..][across.clone()]).copied().sum();
                *y = sum / T::of(down * divisor);
            }
        }
    });
}

fn backward<T: Element>((rows, columns): &(Bins, Bins), area: usize, dy: &[T], dx: &mut [T]) {
    let out = rows.ranges.len() * columns.ranges.len();
    dx.par_chunks_mut(area).zip(dy.par_chunks(out)).with_min_len(8).for_each(|(dx, dy)| {
        for (line, (range, down)) in dy.chunks_exact(columns.ranges.len()).zip(rows.ranges.iter().zip(&rows.divisors)) {
            for (&g, (across, divisor)) in line.iter().zip(columns.ranges.iter().zip(&columns.divisors)) {
                let share = g / T::of(down * divisor);
                for row in range.clone() {
                    dx[row * columns.size..][across.clone()].iter_mut().for_each(|v| *v += share);
                }
            }
        }
    });
}
