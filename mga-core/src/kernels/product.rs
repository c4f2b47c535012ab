//! Matrix products whose right operand is gathered while it is packed: a convolution's unfolded image never exists.
//!
//! Blocking: the left operand is packed once, in panels of as many rows as a tile has. A task owns a block of columns; it
//! packs those columns over the whole depth (at most [`BLOCK`] numbers, for the second-level cache), multiplies
//! [`CHUNK`] panels of rows at a time into a scratch block, and hands each block to the sink, which stores, adds or
//! scatters it. Tasks are cut by the sizes alone. The reference is `convolution::reference`.

use std::ops::Range;

use rayon::prelude::*;

use super::Shared;
use super::dispatch::vectorised;
use super::interleave::interleave;
use super::scratch::with_scratch;
use super::tile::Micro;
use crate::element::Element;

/// Packed numbers of a block of columns.
const BLOCK: usize = 160 * 1024;
/// The most columns of a block: short lines cost a sink more than their numbers do.
const LONGEST: usize = 384;
/// Steps of a sum that are taken in one go.
const SUMMED: usize = 256;
/// Panels of rows between two calls of the sink.
const CHUNK: usize = 4;
/// Tasks a product is cut into, at least, where its sizes allow.
const TASKS: usize = 8;

/// The packed left operand: panels `[depth, tile rows]`, zeros below the last row.
pub(crate) struct Left<T> {
    /// The tile it is packed for.
    pub(crate) micro: Micro<T>,
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) panels: Vec<T>,
}

impl<T: Element> Left<T> {
    /// Packs panel after panel: `fill(tile, first row, rows, panel)` writes `[depth, tile rows]`.
    pub(crate) fn pack(rows: usize, depth: usize, fill: impl Fn(&Micro<T>, usize, usize, &mut [T]) + Sync) -> Self {
        let micro = T::micro();
        let height = micro.rows;
        let mut panels = crate::element::zeros::<T>(rows.div_ceil(height) * height * depth);
        panels.par_chunks_mut(height * depth).enumerate().for_each(|(panel, out)| {
            let first = panel * height;
            fill(&micro, first, height.min(rows - first), out);
        });
        Self { micro, rows, depth, panels }
    }

    /// Packs rows that lie in pieces of `length` adjacent numbers: `row(piece, row)`.
    pub(crate) fn pack_rows<'a>(
        rows: usize,
        (pieces, length): (usize, usize),
        row: impl Fn(usize, usize) -> &'a [T] + Sync,
    ) -> Self {
        Self::pack(rows, pieces * length, |micro, first, count, out| {
            vectorised(
                #[inline(always)]
                || {
                    for piece in 0..pieces {
                        let out = &mut out[piece * length * micro.rows..];
                        interleave(micro, |index| row(piece, first + index), count, length, micro.rows, out);
                    }
                },
            );
        })
    }
}

/// The right operand of a product, by columns.
pub(crate) trait Right<T>: Sync {
    /// Packs `columns` in panels of `width`, each `[depth, width]` and `stride` numbers after the last one, which leaves
    /// [`SLACK`] between them. What stands in the last panel's further columns does not matter.
    fn pack(&self, columns: Range<usize>, width: usize, stride: usize, out: &mut [T]);
}

/// Numbers behind a packed panel that [`Right::pack`] may overwrite.
pub(crate) const SLACK: usize = 16;

/// A finished part of a product.
pub(crate) struct Block<'a, T> {
    /// Which rows of the product.
    pub(crate) rows: Range<usize>,
    /// Which columns; blocks of the same columns have the same `index`.
    pub(crate) columns: Range<usize>,
    pub(crate) index: usize,
    numbers: &'a [T],
    line: usize,
}

impl<T> Block<'_, T> {
    /// The rows, by their number in the product.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &[T])> {
        self.rows.clone().zip(self.numbers.chunks_exact(self.line))
    }
}

/// Groups of columns that [`product`] cuts into.
pub(crate) fn groups<T: Element>(left: &Left<T>, columns: usize) -> usize {
    let panels = columns.div_ceil(left.micro.width);
    let most = (BLOCK / (left.depth * left.micro.width).max(1)).clamp(1, LONGEST / left.micro.width);
    panels.div_ceil(most).max(TASKS.min(panels)).max(1)
}

/// `left right`, in blocks; the sink gets each once.
pub(crate) fn product<T: Element>(
    left: &Left<T>,
    right: &impl Right<T>,
    columns: usize,
    sink: impl Fn(Block<'_, T>) + Sync,
) {
    let micro = left.micro;
    let (depth, panels) = (left.depth, columns.div_ceil(micro.width));
    let across = groups(left, columns);
    let (share, rest) = (panels / across, panels % across);
    let row_panels = left.rows.div_ceil(micro.rows);
    let down = TASKS.div_ceil(across).min(row_panels.div_ceil(CHUNK)).max(1);
    let tall = row_panels.div_ceil(down);
    (0..across * down).into_par_iter().for_each(|task| {
        let (index, part) = (task / down, task % down);
        let first = index * share + index.min(rest);
        let count = share + usize::from(index < rest);
        let line = count * micro.width;
        let rows = (part * tall).min(row_panels)..((part + 1) * tall).min(row_panels);
        let packed = depth * micro.width;
        let stride = packed + SLACK;
        with_scratch::<T, _>(count * stride + CHUNK * micro.rows * line, |scratch| {
            let (columns_packed, block) = scratch.split_at_mut(count * stride);
            let at = |panel: usize| ((first + panel) * micro.width).min(columns);
            right.pack(at(0)..at(count), micro.width, stride, columns_packed);
            for chunk in rows.clone().step_by(CHUNK) {
                let chunk = chunk..(chunk + CHUNK).min(rows.end);
                for panel in 0..count {
                    let right = &columns_packed[panel * stride..][..packed];
                    for row in chunk.clone() {
                        let left = &left.panels[row * depth * micro.rows..][..depth * micro.rows];
                        let at = (row - chunk.start) * micro.rows * line + panel * micro.width;
                        // Sums of pieces, added: a sum of thousands of numbers one by one rounds worse.
                        for k in (0..depth).step_by(SUMMED) {
                            let (steps, left, right) =
                                (SUMMED.min(depth - k), &left[k * micro.rows..], &right[k * micro.width..]);
                            // SAFETY: `block` has CHUNK * micro.rows lines of `line` numbers; the tile lies inside, and
                            // the block is this task's own.
                            unsafe { micro.multiply(steps, left, right, block[at..].as_mut_ptr(), line, k > 0) };
                        }
                    }
                }
                let rows = chunk.start * micro.rows..(chunk.end * micro.rows).min(left.rows);
                sink(Block { rows, columns: at(0)..at(count), index, numbers: block, line });
            }
        });
    });
}

/// Steps of the sum that [`product_along`] packs at a time.
const PIECE: usize = 256;
/// Sums a task of [`product_along`] keeps at hand.
const SUMS: usize = 64 * 1024;

/// `out += left right^T` for a depth (pixels) far longer than the sides, the gradient of a weight. `right` packs columns
/// of `[depth, width]` for a range of the depth: `right(tile, depth, columns, out)` is given a whole task's columns at a time,
/// and fills panel after panel. Tasks own some panels of columns, and parts of the depth where those are few; the parts'
/// sums are added up in order. `out` has lines of `columns` numbers.
pub(crate) fn product_along<T: Element>(
    left: &Left<T>,
    right: impl Fn(&Micro<T>, Range<usize>, Range<usize>, &mut [T]) + Sync,
    columns: usize,
    out: &mut [T],
) {
    let micro = left.micro;
    let (depth, panels) = (left.depth, columns.div_ceil(micro.width));
    let row_panels = left.rows.div_ceil(micro.rows);
    let tall = row_panels * micro.rows;
    let group = (SUMS / (tall * micro.width)).clamp(1, panels);
    let group = panels.div_ceil(panels.div_ceil(group));
    let across = panels.div_ceil(group);
    let down = (2 * TASKS).div_ceil(across).min(depth.div_ceil(4 * PIECE)).max(1);
    let long = depth.div_ceil(down).div_ceil(PIECE) * PIECE;
    let size = group * tall * micro.width;
    let mut partial = crate::element::zeros::<T>(across * down * size);
    partial.par_chunks_mut(size).enumerate().for_each(|(task, sums)| {
        let (first, part) = (task / down * group, task % down);
        let own = group.min(panels - first);
        let end = ((part + 1) * long).min(depth);
        let packed = PIECE * micro.width;
        with_scratch::<T, _>(own * packed + SLACK, |scratch| {
            for start in (part * long..end).step_by(PIECE) {
                let piece = start..(start + PIECE).min(end);
                let range = first * micro.width..((first + own) * micro.width).min(columns);
                right(&micro, piece.clone(), range, scratch);
                for panel in 0..own {
                    let right = &scratch[panel * piece.len() * micro.width..];
                    for row in 0..row_panels {
                        let left = &left.panels[(row * depth + piece.start) * micro.rows..];
                        let at = (panel * row_panels + row) * micro.rows * micro.width;
                        let sums = &mut sums[at..at + micro.rows * micro.width];
                        // SAFETY: `sums` is one whole tile with lines of its width, and this task's own.
                        unsafe { micro.multiply(piece.len(), left, right, sums.as_mut_ptr(), micro.width, true) };
                    }
                }
            }
        });
    });
    let target = Shared::new(out);
    (0..left.rows).into_par_iter().with_min_len(16).for_each(|row| {
        // SAFETY: this task's own line.
        let out = unsafe { target.slice(row * columns, columns) };
        for (panel, out) in out.chunks_mut(micro.width).enumerate() {
            for part in 0..down {
                let at = (panel / group * down + part) * size + (panel % group * tall + row) * micro.width;
                out.iter_mut().zip(&partial[at..]).for_each(|(out, &sum)| *out += sum);
            }
        }
    });
}
