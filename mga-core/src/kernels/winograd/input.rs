//! The tiles of the input, transformed: `V = B^T d B`, packed as the right operands of sixteen products.

use super::super::affine::clamp;
use super::super::maps::Maps;
use super::super::shape::ConvShape;
use super::tiles::{LANES, MOST, PLACES, Run};
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
    let columns = tiles + 1;
    let [r0, r1, r2, r3] = rows.each_ref().map(|row| &row.as_chunks::<2>().0[..columns]);
    let [e0, e1, e2, e3] = even.each_mut().map(|line| &mut line[..columns]);
    let [o0, o1, o2, o3] = odd.each_mut().map(|line| &mut line[..columns]);
    for i in 0..columns {
        let (a, b, c, d) = (r0[i], r1[i], r2[i], r3[i]);
        (e0[i], o0[i]) = (a[0] - c[0], a[1] - c[1]);
        (e1[i], o1[i]) = (b[0] + c[0], b[1] + c[1]);
        (e2[i], o2[i]) = (c[0] - b[0], c[1] - b[1]);
        (e3[i], o3[i]) = (b[0] - d[0], b[1] - d[1]);
    }
    for (row, (even, odd)) in even.iter().zip(odd.iter()).enumerate() {
        let (e, o) = (&even[..columns], &odd[..columns]);
        let mut out = out[4 * row * stride..].chunks_mut(stride);
        let mut next = || out.next().and_then(|out| out.get_mut(..tiles)).unwrap_or_default();
        let (v0, v1, v2, v3) = (next(), next(), next(), next());
        // Lengths are said again, so that nothing is checked in the loop.
        for t in 0..tiles.min(v0.len()).min(v1.len()).min(v2.len()).min(v3.len()) {
            v0[t] = e[t] - e[t + 1];
            v1[t] = o[t] + e[t + 1];
            v2[t] = e[t + 1] - o[t];
            v3[t] = o[t] - o[t + 1];
        }
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
