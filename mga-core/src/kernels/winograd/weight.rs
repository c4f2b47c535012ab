//! The gradient of the filters: `dg = G^T [sum (A dY A^T) * (B^T d B)] G`, summed over all tiles.
//!
//! Here the tiles are the depth of the sixteen products, and channels stand side by side: rows of the maps are turned
//! first, and transformed as vectors of channels. A task owns some output channels and part of the tiles; the parts' sums
//! are added up in order. Blocking: [`PIECE`] tiles are transformed at a time, all their channels, and multiplied into the
//! task's sums place by place.

use std::ops::Range;

use rayon::prelude::*;

use super::super::Shared;
use super::super::dispatch::vectorised;
use super::super::interleave::interleave;
use super::super::maps::Maps;
use super::super::scratch::with_scratch;
use super::super::shape::ConvShape;
use super::super::tile::{Micro, SIDE};
use super::input::{change, gather};
use super::tiles::{LANES, MOST, PLACES, Run, Tiles};
use crate::element::Element;

/// Tiles that are transformed at a time, at most [`MOST`].
const PIECE: usize = 48;
/// Output channels that are turned side by side: a multiple of the rows of every product's tile, and of a vector.
const SIDE_BY_SIDE: usize = 48;
/// Tasks the work is cut into, at least, where its sizes allow.
const TASKS: usize = 8;
/// Sums that a task keeps at hand.
const SUMS: usize = 640 * 1024;

/// `dw += dy x^T` over every tap; `dw` holds zeros or a gradient to add to.
pub(crate) fn backward_weight<T: Element>(s: &ConvShape, x: Maps<'_, T>, dy: Maps<'_, T>, dw: &mut [T]) {
    let (cg, og) = (s.input.0 / s.groups, s.output.0 / s.groups);
    for (group, dw) in dw.chunks_exact_mut(og * cg * 9).enumerate() {
        Sizes::new(s, cg, og).add(x, group * cg, dy, group * og, dw);
    }
}

/// How the work is cut.
struct Sizes<'a, T> {
    s: &'a ConvShape,
    micro: Micro<T>,
    tiles: Tiles,
    channels: usize,
    outputs: usize,
    /// Columns of the product, the input's channels, in whole panels.
    columns: usize,
    /// Output channels of a task, in whole panels of rows.
    rows: usize,
    /// Tasks for the output channels, and for the tiles.
    across: usize,
    down: usize,
}

impl<'a, T: Element> Sizes<'a, T> {
    fn new(s: &'a ConvShape, channels: usize, outputs: usize) -> Self {
        let micro = T::micro();
        let columns = channels.next_multiple_of(micro.width);
        let across = (PLACES * columns * outputs).div_ceil(SUMS);
        let rows = outputs.div_ceil(across).next_multiple_of(micro.rows);
        let tiles = Tiles::of(s);
        let across = outputs.div_ceil(rows);
        let down = TASKS.div_ceil(across).min(tiles.count().div_ceil(2 * PIECE)).max(1);
        Self { s, micro, tiles, channels, outputs, columns, rows, across, down }
    }

    fn add(&self, x: Maps<'_, T>, first_x: usize, dy: Maps<'_, T>, first_dy: usize, dw: &mut [T]) {
        let size = PLACES * self.rows * self.columns;
        let long = self.tiles.count().div_ceil(self.down).next_multiple_of(PIECE);
        let mut partial = crate::element::zeros::<T>(self.across * self.down * size);
        partial.par_chunks_mut(size).enumerate().for_each(|(task, sums)| {
            let (part, row) = (task % self.down, task / self.down * self.rows);
            let rows = row..(row + self.rows).min(self.outputs);
            let end = ((part + 1) * long).min(self.tiles.count());
            for start in (part * long..end).step_by(PIECE) {
                self.piece(start..(start + PIECE).min(end), (&x, first_x), (&dy, first_dy), rows.clone(), sums);
            }
        });
        self.gather_up(&partial, dw);
    }

    /// Multiplies some tiles into the sums of a task, `[place, panel of columns, rows, width]`.
    fn piece(
        &self,
        tiles: Range<usize>,
        (x, first_x): (&Maps<'_, T>, usize),
        (dy, first_dy): (&Maps<'_, T>, usize),
        rows: Range<usize>,
        sums: &mut [T],
    ) {
        let (micro, width, depth) = (&self.micro, self.micro.width, tiles.len());
        let runs = self.tiles.runs(tiles);
        let left_place = rows.len().next_multiple_of(SIDE_BY_SIDE) * depth;
        let right_place = self.columns * depth;
        let turned = (4 * 2 * (MOST + 1) * width).max(2 * 2 * MOST * SIDE_BY_SIDE) + SIDE;
        with_scratch::<T, _>(PLACES * (left_place + right_place) + turned, |scratch| {
            let (left, rest) = scratch.split_at_mut(PLACES * left_place);
            let (right, turned) = rest.split_at_mut(PLACES * right_place);
            let mut staging = vec![T::of(0.0); width.max(SIDE_BY_SIDE) * 2 * (MOST + 1)];
            for run in &runs {
                for first in (0..self.channels).step_by(width) {
                    let count = width.min(self.channels - first);
                    self.turn_input(x, first_x + first, count, run, &mut staging, turned);
                    let out = &mut right[first * depth + run.to * width..];
                    vectorised(
                        #[inline(always)]
                        || transform_input(turned, run.count, width, out, right_place),
                    );
                }
                for first in (rows.start..rows.end).step_by(SIDE_BY_SIDE) {
                    let count = SIDE_BY_SIDE.min(rows.end - first);
                    self.turn_gradient(dy, first_dy + first, count, run, &mut staging, turned);
                    let out = &mut left[(first - rows.start) * depth..];
                    vectorised(
                        #[inline(always)]
                        || transform_gradient(turned, run, (count, micro.rows), depth, out, left_place),
                    );
                }
            }
            let row_panels = rows.len().div_ceil(micro.rows);
            for place in 0..PLACES {
                for panel in 0..self.columns / width {
                    let right = &right[place * right_place + panel * depth * width..];
                    for row in 0..row_panels {
                        let left = &left[place * left_place + row * depth * micro.rows..];
                        let at = ((place * (self.columns / width) + panel) * self.rows + row * micro.rows) * width;
                        let sums = &mut sums[at..at + micro.rows * width];
                        // SAFETY: `sums` is one whole tile with lines of its width, and this task's own.
                        unsafe { micro.multiply(depth, left, right, sums.as_mut_ptr(), width, true) };
                    }
                }
            }
        });
    }

    /// The four input rows under a run, channels side by side: `[row, column, width]`.
    fn turn_input(&self, x: &Maps<'_, T>, first: usize, count: usize, run: &Run, staging: &mut [T], out: &mut [T]) {
        let (area, columns, width) = (self.s.input.1 * self.s.input.2, 2 * (run.count + 1), self.micro.width);
        let image = &x.numbers[run.image * x.image..];
        vectorised(
            #[inline(always)]
            || {
                for row in 0..4 {
                    for channel in 0..count {
                        let plane = &image[(first + channel) * area..][..area];
                        let line = &mut staging[channel * columns..][..columns];
                        gather(self.s, plane, run, row, change(x, first + channel), line);
                    }
                    let out = &mut out[row * columns * width..];
                    interleave(&self.micro, |index| &staging[index * columns..][..columns], count, columns, width, out);
                }
            },
        );
    }

    /// The two rows of the output's gradient in a run, zeros beyond the output: `[row, column, SIDE_BY_SIDE]`.
    fn turn_gradient(&self, dy: &Maps<'_, T>, first: usize, count: usize, run: &Run, staging: &mut [T], out: &mut [T]) {
        let s = self.s;
        let (area, columns, width) = (s.out_area(), 2 * run.count, SIDE_BY_SIDE);
        let image = &dy.numbers[run.image * dy.image..];
        let inside = columns.min(s.output.2 - 2 * run.column);
        vectorised(
            #[inline(always)]
            || {
                for row in 0..2 {
                    let out = &mut out[row * columns * width..];
                    let y = 2 * run.row + row;
                    if y >= s.output.1 {
                        out[..columns * width].fill(T::of(0.0));
                        continue;
                    }
                    let line =
                        |index: usize| &image[(first + index) * area + y * s.output.2 + 2 * run.column..][..inside];
                    if inside == columns {
                        interleave(&self.micro, line, count, columns, width, out);
                        continue;
                    }
                    for channel in 0..count {
                        let staged = &mut staging[channel * columns..][..columns];
                        staged[..inside].copy_from_slice(line(channel));
                        staged[inside..].fill(T::of(0.0));
                    }
                    interleave(&self.micro, |index| &staging[index * columns..][..columns], count, columns, width, out);
                }
            },
        );
    }

    /// `dw += G^T S G`, `S` the sum of the parts.
    fn gather_up(&self, partial: &[T], dw: &mut [T]) {
        let size = PLACES * self.rows * self.columns;
        let width = self.micro.width;
        let target = Shared::new(dw);
        (0..self.outputs).into_par_iter().with_min_len(4).for_each(|output| {
            // SAFETY: this task's own line.
            let dw = unsafe { target.slice(output * self.channels * 9, self.channels * 9) };
            let (task, row) = (output / self.rows * self.down, output % self.rows);
            for panel in 0..self.columns / width {
                let mut sums = [[T::of(0.0); MOST]; PLACES];
                let count = width.min(self.channels - panel * width);
                vectorised(
                    #[inline(always)]
                    || {
                        for part in 0..self.down {
                            let partial = &partial[(task + part) * size..][..size];
                            for (place, sums) in sums.iter_mut().enumerate() {
                                let at = ((place * (self.columns / width) + panel) * self.rows + row) * width;
                                sums.iter_mut().zip(&partial[at..at + width]).for_each(|(sum, &part)| *sum += part);
                            }
                        }
                        for lane in 0..count {
                            let dw = &mut dw[(panel * width + lane) * 9..][..9];
                            let taps = filter_gradient(std::array::from_fn(|place| sums[place][lane]));
                            dw.iter_mut().zip(taps).for_each(|(dw, tap)| *dw += tap);
                        }
                    },
                );
            }
        });
    }
}

/// Numbers of some channels.
type Lanes<T> = [T; LANES];

#[inline(always)]
fn plus<T: Element>(a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
    std::array::from_fn(|lane| a[lane] + b[lane])
}

#[inline(always)]
fn minus<T: Element>(a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
    std::array::from_fn(|lane| a[lane] - b[lane])
}

/// `B^T d B` of each tile of a run, as vectors of channels. `out` is `[place, panel of channels, tile, width]` from the run
/// on.
#[inline(always)]
fn transform_input<T: Element>(turned: &[T], tiles: usize, width: usize, out: &mut [T], place: usize) {
    let (columns, vectors) = (2 * (tiles + 1), width / LANES);
    let turned = turned.as_chunks::<LANES>().0;
    let mut places = out.chunks_mut(place);
    let mut places: [&mut [Lanes<T>]; PLACES] =
        std::array::from_fn(|_| places.next().unwrap_or_default().as_chunks_mut::<LANES>().0);
    for tile in 0..tiles {
        for vector in 0..vectors {
            let d = |row: usize, column: usize| turned[(row * columns + 2 * tile + column) * vectors + vector];
            // The columns first, then the rows.
            let b: [[Lanes<T>; 4]; 4] = std::array::from_fn(|j| four(std::array::from_fn(|i| d(i, j))));
            for i in 0..4 {
                let v = four(std::array::from_fn(|j| b[j][i]));
                (0..4).for_each(|j| places[4 * i + j][tile * vectors + vector] = v[j]);
            }
        }
    }
}

/// `B^T d` with `B^T = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1]`.
#[inline(always)]
fn four<T: Element>(d: [Lanes<T>; 4]) -> [Lanes<T>; 4] {
    [minus(d[0], d[2]), plus(d[1], d[2]), minus(d[2], d[1]), minus(d[1], d[3])]
}

/// `A dY A^T` of each tile of a run, with `A = [1 0; 1 1; 1 -1; 0 -1]`, for `count` channels. `out` is `[place, panel of
/// rows, tile, rows]` from the channels on.
#[inline(always)]
fn transform_gradient<T: Element>(
    turned: &[T],
    run: &Run,
    (count, height): (usize, usize),
    depth: usize,
    out: &mut [T],
    place: usize,
) {
    let columns = 2 * run.count;
    let turned = turned.as_chunks::<LANES>().0;
    let spread = |a: Lanes<T>, b: Lanes<T>| [a, plus(a, b), minus(a, b), minus([T::of(0.0); LANES], b)];
    for tile in 0..run.count {
        let mut m = [[[T::of(0.0); LANES]; SIDE_BY_SIDE / LANES]; PLACES];
        for vector in 0..count.div_ceil(LANES) {
            let y = |row: usize, column: usize| {
                turned[(row * columns + 2 * tile + column) * (SIDE_BY_SIDE / LANES) + vector]
            };
            let (left, right) = (spread(y(0, 0), y(1, 0)), spread(y(0, 1), y(1, 1)));
            for i in 0..4 {
                let row = spread(left[i], right[i]);
                (0..4).for_each(|j| m[4 * i + j][vector] = row[j]);
            }
        }
        for (m, out) in m.iter().zip(out.chunks_mut(place)) {
            let out = &mut out[(run.to + tile) * height..];
            // Constant lengths, so that each copy is a few instructions.
            match height {
                4 => hand_out::<T, 4>(m.as_flattened(), count, out, depth),
                6 => hand_out::<T, 6>(m.as_flattened(), count, out, depth),
                _ => hand_out::<T, 8>(m.as_flattened(), count, out, depth),
            }
        }
    }
}

/// Gives every panel its rows.
#[inline(always)]
fn hand_out<T: Copy, const ROWS: usize>(m: &[T], count: usize, out: &mut [T], depth: usize) {
    for (rows, out) in m.as_chunks::<ROWS>().0[..count.div_ceil(ROWS)].iter().zip(out.chunks_mut(depth * ROWS)) {
        if let Some(out) = out.first_chunk_mut::<ROWS>() {
            *out = *rows;
        }
    }
}

/// `G^T S G`, with `G^T = [1 .5 .5 0; 0 .5 -.5 0; 0 .5 .5 1]`.
#[inline(always)]
fn filter_gradient<T: Element>(s: [T; PLACES]) -> [T; 9] {
    let half = T::of(0.5);
    let three = |s: [T; 4]| {
        let (sum, difference) = (half * (s[1] + s[2]), half * (s[1] - s[2]));
        [s[0] + sum, difference, sum + s[3]]
    };
    let columns: [[T; 3]; 4] = std::array::from_fn(|j| three(std::array::from_fn(|i| s[4 * i + j])));
    let rows: [[T; 3]; 3] = std::array::from_fn(|i| three(std::array::from_fn(|j| columns[j][i])));
    std::array::from_fn(|tap| rows[tap / 3][tap % 3])
}
