//! The tiles of the input, transformed: `V = B^T d B`, packed as the right operands of sixteen products.

use super::super::batch_norm::clamp;
use super::super::convolution::{ConvShape, Maps};
use super::tiles::Run;
use super::{LANES, MOST, PLACES};
use crate::element::Element;

/// Columns of the four input rows under the most tiles side by side.
const COLUMNS: usize = 2 * (MOST + LANES + 1);

/// Rows of the input on their way.
pub(super) struct Staging<T> {
    rows: [[T; COLUMNS]; 4],
    /// `B^T d`, the numbers at even and at odd columns apart.
    even: [[T; COLUMNS / 2]; 4],
    odd: [[T; COLUMNS / 2]; 4],
}

impl<T: Element> Staging<T> {
    pub(super) fn new() -> Self {
        let half = [[T::of(0.0); COLUMNS / 2]; 4];
        Self { rows: [[T::of(0.0); COLUMNS]; 4], even: half, odd: half }
    }
}

/// The numbers of one input row from column `2 * run.column - padding` on, zeros where there is no image.
#[inline(always)]
pub(super) fn gather<T: Element>(
    s: &ConvShape,
    plane: &[T],
    run: &Run,
    row: usize,
    change: Option<(T, T, T, T)>,
    out: &mut [T],
) {
    let (height, width) = (s.input.1, s.input.2);
    let columns = 2 * (run.count + 1);
    let line = (2 * run.row + row).checked_sub(s.padding.0).filter(|&y| y < height);
    let start = 2 * run.column;
    let lo = s.padding.1.saturating_sub(start).min(columns);
    let hi = (width + s.padding.1).saturating_sub(start).clamp(lo, columns);
    let (Some(y), true) = (line, lo < hi) else { return out[..columns].fill(T::of(0.0)) };
    out[..lo].fill(T::of(0.0));
    out[hi..columns].fill(T::of(0.0));
    let from = &plane[y * width + start + lo - s.padding.1..][..hi - lo];
    match change {
        None => out[lo..hi].copy_from_slice(from),
        Some((a, b, low, high)) => {
            out[lo..hi].iter_mut().zip(from).for_each(|(out, &x)| *out = clamp(a * x + b, low, high));
        }
    }
}

/// What is done to the numbers of a channel as they are read.
#[inline(always)]
pub(super) fn change<T: Element>(x: &Maps<'_, T>, channel: usize) -> Option<(T, T, T, T)> {
    x.affine.map(|a| (a.scale[channel], a.shift[channel], T::of(a.window.low), T::of(a.window.high)))
}

/// Transforms the tiles of `run` in one channel. `out` begins at this channel and run; places are `stride` numbers apart.
/// Up to [`LANES`] numbers more than there are tiles are written to each place. To be called vectorised.
#[inline(always)]
pub(super) fn transform<T: Element>(
    s: &ConvShape,
    x: &Maps<'_, T>,
    channel: usize,
    run: &Run,
    staging: &mut Staging<T>,
    out: &mut [T],
    stride: usize,
) {
    let area = s.input.1 * s.input.2;
    let plane = &x.numbers[run.image * x.image + channel * area..][..area];
    let changed = change(x, channel);
    let Staging { rows, even, odd } = staging;
    for (row, out) in rows.iter_mut().enumerate() {
        gather(s, plane, run, row, changed, out);
    }
    let tiles = run.count.next_multiple_of(LANES).min(MOST + LANES);
    let [r0, r1, r2, r3] = std::array::from_fn(|row| &rows[row].as_chunks::<2>().0[..tiles + 1]);
    for column in 0..=tiles {
        for part in 0..2 {
            let d = [r0, r1, r2, r3].map(|row| row[column][part]);
            let to = if part == 0 { &mut *even } else { &mut *odd };
            to[0][column] = d[0] - d[2];
            to[1][column] = d[1] + d[2];
            to[2][column] = d[2] - d[1];
            to[3][column] = d[1] - d[3];
        }
    }
    for row in 0..4 {
        let (e0, e1) = (&even[row][..tiles], &even[row][1..=tiles]);
        let (o0, o1) = (&odd[row][..tiles], &odd[row][1..=tiles]);
        let mut place = |column: usize, f: fn(T, T) -> T, a: &[T], b: &[T]| {
            let out = &mut out[(4 * row + column) * stride..][..tiles];
            out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (&a, &b))| *out = f(a, b));
        };
        place(0, |a, b| a - b, e0, e1);
        place(1, |a, b| a + b, o0, e1);
        place(2, |a, b| a - b, e1, o0);
        place(3, |a, b| a - b, o0, o1);
    }
}

/// Numbers between two places of transformed tiles: `depth` lines of `width`, and room for what is computed beyond.
pub(super) fn place_stride(depth: usize, width: usize) -> usize {
    depth * width + LANES
}

/// Numbers of `depth` channels of `width` transformed tiles.
pub(super) fn transformed_size(depth: usize, width: usize) -> usize {
    PLACES * place_stride(depth, width)
}
