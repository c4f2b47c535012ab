//! Matrix products whose right operand is gathered while it is packed: a convolution's unfolded image never exists.
//!
//! Blocking: the left operand is packed once, in panels of as many rows as a tile has. A task owns a block of columns; it
//! packs those columns over the whole depth (at most [`BLOCK`] numbers, for the second-level cache), multiplies
//! [`CHUNK`] panels of rows at a time into a scratch block, and hands each block to the sink, which stores, adds or
//! scatters it. Tasks are cut by the sizes alone. The reference is `convolution::reference`.

use std::ops::Range;

use rayon::prelude::*;

use super::Shared;
use super::scratch::with_scratch;
use crate::element::Element;

/// Packed numbers of a block of columns.
const BLOCK: usize = 160 * 1024;
/// Panels of rows between two calls of the sink.
const CHUNK: usize = 4;
/// Tasks a product is cut into, at least, where its sizes allow.
const TASKS: usize = 8;

/// The packed left operand: panels `[depth, tile rows]`, zeros below the last row.
pub(crate) struct Left<T> {
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) panels: Vec<T>,
}

impl<T: Element> Left<T> {
    /// Packs `number(row, k)`.
    pub(crate) fn pack(rows: usize, depth: usize, number: impl Fn(usize, usize) -> T + Sync) -> Self {
        let height = T::micro().rows;
        let mut panels = crate::element::zeros::<T>(rows.div_ceil(height) * height * depth);
        panels.par_chunks_mut(height * depth).with_min_len(1).enumerate().for_each(|(panel, out)| {
            let first = panel * height;
            let count = height.min(rows - first);
            for (k, out) in out.chunks_exact_mut(height).enumerate() {
                for (row, out) in out[..count].iter_mut().enumerate() {
                    *out = number(first + row, k);
                }
            }
        });
        Self { rows, depth, panels }
    }
}

/// The right operand of a product, by columns.
pub(crate) trait Right<T>: Sync {
    /// Packs columns `columns` (no more than `width`) as `[depth, width]`, where `out` holds some numbers more than that.
    /// What stands in further columns does not matter.
    fn pack(&self, columns: Range<usize>, width: usize, out: &mut [T]);
}

/// Numbers past the end of a packed panel that [`Right::pack`] may overwrite.
pub(crate) const SLACK: usize = 16;

/// `left right`, in blocks: `sink(rows, columns, block, line)` gets each block once, its lines `line` numbers apart.
pub(crate) fn product<T: Element>(
    left: &Left<T>,
    right: &impl Right<T>,
    columns: usize,
    sink: impl Fn(Range<usize>, Range<usize>, &[T], usize) + Sync,
) {
    let micro = T::micro();
    let (depth, panels) = (left.depth, columns.div_ceil(micro.width));
    let most = (BLOCK / (depth * micro.width).max(1)).clamp(1, 8);
    let across = panels.div_ceil(most).max(TASKS.min(panels)).max(1);
    let (share, rest) = (panels / across, panels % across);
    let row_panels = left.rows.div_ceil(micro.rows);
    let down = TASKS.div_ceil(across).min(row_panels.div_ceil(CHUNK)).max(1);
    let tall = row_panels.div_ceil(down);
    (0..across * down).into_par_iter().for_each(|task| {
        let (block, part) = (task / down, task % down);
        let first = block * share + block.min(rest);
        let count = share + usize::from(block < rest);
        let line = count * micro.width;
        let rows = (part * tall).min(row_panels)..((part + 1) * tall).min(row_panels);
        let packed = depth * micro.width;
        with_scratch::<T, _>(count * packed + SLACK + CHUNK * micro.rows * line, |scratch| {
            let (columns_packed, block) = scratch.split_at_mut(count * packed + SLACK);
            let at = |panel: usize| ((first + panel) * micro.width).min(columns);
            for panel in 0..count {
                right.pack(at(panel)..at(panel + 1), micro.width, &mut columns_packed[panel * packed..]);
            }
            for chunk in rows.clone().step_by(CHUNK) {
                let chunk = chunk..(chunk + CHUNK).min(rows.end);
                for panel in 0..count {
                    let right = &columns_packed[panel * packed..][..packed];
                    for row in chunk.clone() {
                        let left = &left.panels[row * depth * micro.rows..][..depth * micro.rows];
                        let at = (row - chunk.start) * micro.rows * line + panel * micro.width;
                        // SAFETY: `block` has CHUNK * micro.rows lines of `line` numbers; the tile lies inside, and the
                        // block is this task's own.
                        unsafe { micro.multiply(depth, left, right, block[at..].as_mut_ptr(), line, false) };
                    }
                }
                let rows = chunk.start * micro.rows..(chunk.end * micro.rows).min(left.rows);
                sink(rows, at(0)..at(count), block, line);
            }
        });
    });
}

/// Both operands of a product along a shared long depth, packed piece by piece: the gradient of a weight.
pub(crate) trait Along<T>: Sync {
    /// Packs columns `columns` of the right operand for `depth` as `[depth, width]`; scratch as it needs.
    fn pack(&self, depth: Range<usize>, columns: Range<usize>, width: usize, out: &mut [T]);
}

/// Steps of the sum that are packed at a time.
const PIECE: usize = 256;

/// `out += left right` for a depth far longer than the sides: `left` is packed whole, `[panels, depth, tile rows]`; tasks
/// own panels of columns, and pieces of the depth where those are few. `out` has lines of `columns` numbers.
pub(crate) fn product_along<T: Element>(left: &Left<T>, right: &impl Along<T>, columns: usize, out: &mut [T]) {
    let micro = T::micro();
    let (depth, across) = (left.depth, columns.div_ceil(micro.width));
    let row_panels = left.rows.div_ceil(micro.rows);
    let tall = row_panels * micro.rows;
    // Partial sums of the pieces of depth are added in order at the end.
    let down = (2 * TASKS).div_ceil(across).min(depth.div_ceil(4 * PIECE)).max(1);
    let long = depth.div_ceil(down).div_ceil(PIECE) * PIECE;
    let mut partial = crate::element::zeros::<T>(across * down * tall * micro.width);
    partial.par_chunks_mut(tall * micro.width).enumerate().for_each(|(task, sums)| {
        let (panel, part) = (task / down, task % down);
        let columns = panel * micro.width..((panel + 1) * micro.width).min(columns);
        let end = ((part + 1) * long).min(depth);
        with_scratch::<T, _>(PIECE * micro.width + SLACK, |packed| {
            for start in (part * long..end).step_by(PIECE) {
                let piece = start..(start + PIECE).min(end);
                right.pack(piece.clone(), columns.clone(), micro.width, packed);
                for row in 0..row_panels {
                    let left = &left.panels[(row * depth + piece.start) * micro.rows..];
                    let at = &mut sums[row * micro.rows * micro.width..][..micro.rows * micro.width];
                    // SAFETY: `at` is one whole tile with lines of its width, and this task's own.
                    unsafe { micro.multiply(piece.len(), left, packed, at.as_mut_ptr(), micro.width, true) };
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
                let sums = &partial[((panel * down + part) * tall + row) * micro.width..];
                out.iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum);
            }
        }
    });
}
