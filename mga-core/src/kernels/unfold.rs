//! The columns of an unfolded image batch, gathered as a product wants them packed.
//!
//! Column `p` is output pixel `p` of the batch, image by image; row `(c, ky, kx)` is the input number that this pixel
//! takes through that tap. Where the numbers of a panel come from is the same for every channel but for the channel's
//! offset, so it is worked out once a panel.

use std::ops::Range;

use super::affine::{Affine, clamp};
use super::dispatch::vectorised;
use super::interleave::interleave;
use super::maps::Maps;
use super::product::{Right, SLACK};
use super::scratch::with_scratch;
use super::shape::ConvShape;
use super::tile::Micro;
use crate::element::Element;

/// The input of a convolution, unfolded on demand. Padding is zero behind the affine map.
pub(crate) struct Unfold<'a, T> {
    pub(crate) shape: &'a ConvShape,
    /// Channels that are unfolded, from the first of `x` on.
    pub(crate) channels: usize,
    /// From the first channel of the first image on.
    pub(crate) x: &'a [T],
    /// Numbers between two images.
    pub(crate) image: usize,
    pub(crate) affine: Option<Affine<'a, T>>,
}

impl<'a, T> Unfold<'a, T> {
    /// The `channels` of `maps` from `first` on.
    pub(super) fn of(maps: &Maps<'a, T>, shape: &'a ConvShape, first: usize, channels: usize) -> Self {
        let cut = |values: &'a [T]| &values[first..first + channels];
        let affine = maps.affine.map(|a| Affine { scale: cut(a.scale), shift: cut(a.shift), ..a });
        let x = &maps.numbers[first * shape.in_area()..];
        Self { shape, channels, x, image: maps.image, affine }
    }
}

/// A run of numbers of the panel: where it goes within a channel's rows, and where it comes from within the image batch.
struct Run {
    to: usize,
    from: usize,
    count: usize,
}

/// Copies, and what is padding.
struct Plan {
    copies: Vec<Run>,
    zeros: Vec<Range<usize>>,
}

impl<T: Element> Unfold<'_, T> {
    /// For the given pixels, rows of `width` numbers.
    fn plan(&self, pixels: Range<usize>, width: usize) -> Plan {
        let s = self.shape;
        let (out_area, ow) = (s.output.1 * s.output.2, s.output.2);
        let (mut copies, mut zeros) = (vec![], vec![]);
        for tap in 0..s.kernel.0 * s.kernel.1 {
            let (ky, kx) = (tap / s.kernel.1, tap % s.kernel.1);
            let (lo, hi, _) = s.columns(kx);
            let mut pixel = pixels.start;
            while pixel < pixels.end {
                let (image, inside) = (pixel / out_area, pixel % out_area);
                let (oy, ox) = (inside / ow, inside % ow);
                let to = tap * width + (pixel - pixels.start);
                // With one tap and no other size, a map is one long row (nothing is padded then).
                let whole = s.kernel == (1, 1) && (s.input.1, s.input.2) == (s.output.1, s.output.2);
                let end = if whole { out_area } else { (oy + 1) * ow };
                let count = (end - inside).min(pixels.end - pixel);
                pixel += count;
                if whole {
                    copies.push(Run { to, from: image * self.image + inside, count });
                    continue;
                }
                let Some(iy) = s.row(oy, ky) else {
                    zeros.push(to..to + count);
                    continue;
                };
                let (first, last) = (lo.clamp(ox, ox + count), hi.clamp(ox, ox + count));
                if first >= last {
                    zeros.push(to..to + count);
                    continue;
                }
                if first > ox {
                    zeros.push(to..to + first - ox);
                }
                if last < ox + count {
                    zeros.push(to + last - ox..to + count);
                }
                let ix = first * s.stride + kx * s.dilation - s.padding.1;
                let from = image * self.image + iy * s.input.2 + ix;
                copies.push(Run { to: to + first - ox, from, count: last - first });
            }
        }
        Plan { copies, zeros }
    }

    /// Fills the rows of one channel. `out` holds [`SLACK`] numbers more, which are overwritten.
    #[inline(always)]
    fn fill(&self, plan: &Plan, channel: usize, rows: usize, out: &mut [T]) {
        let s = self.shape;
        let x = &self.x[channel * s.input.1 * s.input.2..];
        for run in &plan.copies {
            if s.stride == 1 {
                prefetch(x, run.from + AHEAD * s.input.1 * s.input.2, run.count);
                copy(&x[run.from..], run.count, &mut out[run.to..]);
            } else {
                let source = x[run.from..].iter().step_by(s.stride);
                out[run.to..run.to + run.count].iter_mut().zip(source).for_each(|(out, &x)| *out = x);
            }
        }
        if let Some(affine) = &self.affine {
            let (a, b) = (affine.scale[channel], affine.shift[channel]);
            let (low, high) = (T::of(affine.window.low), T::of(affine.window.high));
            out[..rows].iter_mut().for_each(|x| *x = clamp(a * *x + b, low, high));
        }
        for zeros in &plan.zeros {
            out[zeros.clone()].fill(T::of(0.0));
        }
    }
}

/// Channels that memory is asked for ahead of the copy: planes lie too far apart for the processor to guess the next.
const AHEAD: usize = 4;

/// Asks for `count` numbers from `at` on.
#[inline(always)]
fn prefetch<T>(x: &[T], at: usize, count: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(x) = x.get(at..at + count) {
        for line in x.chunks(64 / size_of::<T>()) {
            // SAFETY: a hint that touches nothing, on an address within the slice, which every x86-64 has.
            unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.as_ptr().cast()) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (x, at, count);
}

/// Copies in whole vectors where there is room, so up to 15 numbers more than `count`: what comes behind is written later.
#[inline(always)]
fn copy<T: Copy>(from: &[T], count: usize, to: &mut [T]) {
    let mut at = 0;
    while at < count {
        match (from[at..].first_chunk::<SLACK>(), to[at..].first_chunk_mut::<SLACK>()) {
            (Some(from), Some(to)) => *to = *from,
            _ => return to[at..count].copy_from_slice(&from[at..count]),
        }
        at += SLACK;
    }
}

impl<T: Element> Right<T> for Unfold<'_, T> {
    fn pack(&self, columns: Range<usize>, width: usize, stride: usize, out: &mut [T]) {
        let panels = columns.clone().step_by(width);
        let plans: Vec<Plan> = panels.map(|at| self.plan(at..(at + width).min(columns.end), width)).collect();
        let rows = self.shape.kernel.0 * self.shape.kernel.1 * width;
        vectorised(
            #[inline(always)]
            || {
                // Channel by channel, so that what is read of a plane lies together.
                for channel in 0..self.channels {
                    for (panel, plan) in plans.iter().enumerate() {
                        self.fill(plan, channel, rows, &mut out[panel * stride + channel * rows..][..rows + SLACK]);
                    }
                }
            },
        );
    }
}

impl<T: Element> Unfold<'_, T> {
    /// For the weight's gradient the unfolded input is turned round: columns are `(c, ky, kx)`, the depth is the pixels.
    /// Panels of `[depth, width]`, one behind the other.
    pub(crate) fn pack_turned(&self, micro: &Micro<T>, depth: Range<usize>, columns: Range<usize>, out: &mut [T]) {
        let taps = self.shape.kernel.0 * self.shape.kernel.1;
        let steps = depth.len();
        let plan = self.plan(depth, steps);
        for (panel, first) in columns.clone().step_by(micro.width).enumerate() {
            let columns = first..(first + micro.width).min(columns.end);
            let channels = columns.start / taps..columns.end.div_ceil(taps);
            let out = &mut out[panel * steps * micro.width..];
            with_scratch::<T, _>(channels.len() * taps * steps + SLACK, |lines| {
                vectorised(
                    #[inline(always)]
                    || {
                        for (index, channel) in channels.clone().enumerate() {
                            let rows = taps * steps;
                            self.fill(&plan, channel, rows, &mut lines[index * rows..][..rows + SLACK]);
                        }
                        let first = columns.start - channels.start * taps;
                        let line = |index: usize| &lines[(first + index) * steps..][..steps];
                        interleave(micro, line, columns.len(), steps, micro.width, out);
                    },
                );
            });
        }
    }
}
