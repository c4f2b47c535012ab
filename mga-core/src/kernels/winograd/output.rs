//! Sixteen products of transformed filters and tiles, and the way back to the output: `Y = A^T M A`.
//!
//! Blocking: a task owns some panels of tiles. It transforms them over the whole depth (at most [`BLOCK`] numbers, for the
//! second-level cache), multiplies [`CHUNK`] panels of rows at each place, and turns these back at once. Tasks are cut by
//! the sizes alone.

use rayon::prelude::*;

use super::super::dispatch::vectorised;
use super::super::maps::Maps;
use super::super::scratch::with_scratch;
use super::super::shape::ConvShape;
use super::filter::Filters;
use super::input::{self, Staging};
use super::tiles::{MOST, PLACES, Run, Tiles};
use crate::element::Element;

/// Transformed numbers of a task's tiles.
const BLOCK: usize = 96 * 1024;
/// Panels of rows between two times that numbers are handed out.
const CHUNK: usize = 4;
/// Tasks the work is cut into, at least, where its sizes allow.
const TASKS: usize = 16;
/// Steps of a sum that are taken in one go: sums of pieces, added, round better.
const SUMMED: usize = 256;

/// Gets a piece of a row of the result: channel, image, its place in the plane, the numbers.
pub(crate) trait Sink<T>: Fn(usize, usize, usize, &[T]) + Sync {}
impl<T, F: Fn(usize, usize, usize, &[T]) + Sync> Sink<T> for F {}

/// Convolves `filters.depth` channels of `x`, from `first` on.
pub(super) fn product<T: Element>(
    s: &ConvShape,
    filters: &Filters<T>,
    x: Maps<'_, T>,
    first: usize,
    sink: impl Sink<T>,
) {
    let micro = filters.micro;
    let (depth, width, height) = (filters.depth, micro.width, micro.rows);
    let tiles = Tiles::of(s);
    let panels = tiles.count().div_ceil(width);
    let stride = input::place_stride(depth, width);
    let size = input::transformed_size(depth, width);
    let together = (BLOCK / size).clamp(1, 4).min(panels.div_ceil(TASKS));
    let block = CHUNK * height * width;
    (0..panels.div_ceil(together)).into_par_iter().for_each(|task| {
        let own = task * together..((task + 1) * together).min(panels);
        let runs: Vec<Vec<Run>> =
            own.map(|panel| tiles.runs(panel * width..((panel + 1) * width).min(tiles.count()))).collect();
        with_scratch::<T, _>(runs.len() * (size + PLACES * block), |scratch| {
            let (transformed, products) = scratch.split_at_mut(runs.len() * size);
            vectorised(
                #[inline(always)]
                || {
                    let mut staging = Staging::new();
                    for (runs, transformed) in runs.iter().zip(transformed.chunks_exact_mut(size)) {
                        for c in 0..depth {
                            for run in runs {
                                let out = &mut transformed[c * width + run.to..];
                                input::transform(s, &x, first + c, run, &mut staging, out, stride);
                            }
                        }
                    }
                },
            );
            for chunk in (0..filters.row_panels()).step_by(CHUNK) {
                let chunk = chunk..(chunk + CHUNK).min(filters.row_panels());
                for place in 0..PLACES {
                    for (index, row_panel) in chunk.clone().enumerate() {
                        let left = filters.panel(row_panel, place);
                        for panel in 0..runs.len() {
                            let right = &transformed[panel * size + place * stride..];
                            let at = (panel * PLACES + place) * block + index * height * width;
                            for k in (0..depth).step_by(SUMMED) {
                                let (steps, left, right) =
                                    (SUMMED.min(depth - k), &left[k * height..], &right[k * width..]);
                                // SAFETY: a block has room for CHUNK tiles with lines of their width, and is this task's own.
                                unsafe {
                                    micro.multiply(steps, left, right, products[at..].as_mut_ptr(), width, k > 0)
                                };
                            }
                        }
                    }
                }
                let rows = chunk.start * height..(chunk.end * height).min(filters.rows);
                for (runs, products) in runs.iter().zip(products.chunks_exact(PLACES * block)) {
                    turn_back(s, runs, rows.start, rows.len(), products, block, width, &sink);
                }
            }
        });
    });
}

/// `Y = A^T M A` with `A^T = [1 1 1 0; 0 1 -1 -1]`, for `rows` lines of `width` tiles at each place.
#[expect(clippy::too_many_arguments, reason = "sizes of one block")]
fn turn_back<T: Element>(
    s: &ConvShape,
    runs: &[Run],
    first: usize,
    rows: usize,
    products: &[T],
    block: usize,
    width: usize,
    sink: &impl Sink<T>,
) {
    let mut lines = [[[T::of(0.0); 2]; MOST]; 2];
    for row in 0..rows {
        vectorised(
            #[inline(always)]
            || {
                let m: [&[T]; PLACES] = std::array::from_fn(|place| &products[place * block + row * width..][..width]);
                let [upper, lower] = &mut lines;
                let (upper, lower) = (&mut upper[..width], &mut lower[..width]);
                for t in 0..width {
                    let high: [T; 4] = std::array::from_fn(|j| m[j][t] + m[4 + j][t] + m[8 + j][t]);
                    let low: [T; 4] = std::array::from_fn(|j| m[4 + j][t] - m[8 + j][t] - m[12 + j][t]);
                    upper[t] = [high[0] + high[1] + high[2], high[1] - high[2] - high[3]];
                    lower[t] = [low[0] + low[1] + low[2], low[1] - low[2] - low[3]];
                }
            },
        );
        for run in runs {
            let (y, x) = (2 * run.row, 2 * run.column);
            let count = (2 * run.count).min(s.output.2 - x);
            for (y, line) in (y..s.output.1).zip(&lines) {
                sink(first + row, run.image, y * s.output.2 + x, &line[run.to..].as_flattened()[..count]);
            }
        }
    }
}
