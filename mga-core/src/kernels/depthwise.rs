//! Depthwise convolution (one filter a channel), directly. The reference loop it is tested against is
//! `convolution::reference`.
//!
//! Blocking: a task works through some planes, a plane in bands of rows whose padded copy ([`Padded`]) stays in the
//! first-level cache. There every tap is a constant shift, so a band's outputs are one flat loop over vectors of
//! [`LANES`], with all taps of a 3 x 3 kernel in registers. The input's gradient is the same loop over `dy`, once for
//! each remainder of the place modulo the stride, whose tap lists are disjoint; the results are interleaved. Large planes
//! are bound by memory: they are read once and written once.

use rayon::prelude::*;

use super::dispatch::vectorised;
use super::padded::{BAND, LANES, Padded, copy, interleave};
use super::scratch::with_scratch;
use super::shape::ConvShape;
use crate::element::Element;

/// Numbers a task works on, at least.
const TASK: usize = 1 << 15;

/// A tap: its shift in the padded band and its place in the filter.
#[derive(Debug, Clone, Copy)]
struct Tap {
    offset: usize,
    weight: usize,
}

/// Rounds up to whole vectors.
fn whole(count: usize) -> usize {
    count.next_multiple_of(LANES)
}

/// Planes of a task.
fn planes_of_task(area: usize) -> usize {
    (TASK / area).max(1)
}

/// Planes that are copied, computed and copied back together, where several fit the cache. One after the other, each would
/// wait: what was just stored in one shape cannot be loaded in another before it has reached the cache.
fn group(layout: &Padded) -> usize {
    (BAND / layout.count()).max(1)
}

/// What the dilated taps span beyond one row or column, in steps of the stride.
fn reach(s: &ConvShape) -> (usize, usize) {
    ((s.kernel.0 - 1) * s.dilation / s.stride, (s.kernel.1 - 1) * s.dilation / s.stride)
}

/// Every tap's dilated displacement and place in the filter.
fn displacements(s: &ConvShape) -> impl Iterator<Item = ((usize, usize), usize)> + use<> {
    let (width, dilation) = (s.kernel.1, s.dilation);
    (0..s.kernel.0 * width).map(move |tap| ((tap / width * dilation, tap % width * dilation), tap))
}

/// The input as the taps of the forward pass see it, the rows of a band, and the taps.
fn input_layout(s: &ConvShape) -> (Padded, usize, Vec<Tap>) {
    let reach = reach(s);
    let pitch = s.output.2 + reach.1;
    let band = (BAND / (pitch * s.stride * s.stride)).clamp(1, s.output.1);
    let layout = Padded {
        stride: s.stride,
        before: (s.padding.0 as isize, s.padding.1 as isize),
        plane: (s.input.1, s.input.2),
        rows: band + reach.0,
        pitch,
    };
    let taps = displacements(s).map(|((y, x), weight)| Tap { offset: layout.offset(y, x), weight }).collect();
    (layout, band, taps)
}

/// `out[i] = sum over taps, in order, of w[tap] * source[i + offset]`.
#[inline(always)]
fn correlate<T: Element>(source: &[T], taps: &[Tap], w: &[T], out: &mut [T]) {
    if let Some(taps) = taps.as_array::<9>() {
        correlate_in_registers(source, taps, w, out);
    } else if let Some(taps) = taps.as_array::<4>() {
        correlate_in_registers(source, taps, w, out);
    } else if let Some(taps) = taps.as_array::<2>() {
        correlate_in_registers(source, taps, w, out);
    } else {
        out.fill(T::of(0.0));
        for tap in taps {
            let weight = w[tap.weight];
            out.iter_mut().zip(&source[tap.offset..]).for_each(|(y, &x)| *y += weight * x);
        }
    }
}

#[inline(always)]
fn correlate_in_registers<T: Element, const N: usize>(source: &[T], taps: &[Tap; N], w: &[T], out: &mut [T]) {
    let (out, _) = out.as_chunks_mut::<LANES>();
    let count = out.len();
    // Equally long, so that no index below needs a check.
    let mut views: [&[[T; LANES]]; N] = [&[]; N];
    for (view, tap) in views.iter_mut().zip(taps) {
        *view = &source[tap.offset..][..count * LANES].as_chunks().0[..count];
    }
    let mut weights = [T::of(0.0); N];
    for (weight, tap) in weights.iter_mut().zip(taps) {
        *weight = w[tap.weight];
    }
    for (i, out) in out.iter_mut().enumerate() {
        let mut sum = [T::of(0.0); LANES];
        for tap in 0..N {
            let x = &views[tap][i];
            for lane in 0..LANES {
                sum[lane] += weights[tap] * x[lane];
            }
        }
        *out = sum;
    }
}

/// `y[n, c] = w[c] * x[n, c]`.
pub(crate) fn forward<T: Element>(s: &ConvShape, x: &[T], w: &[T], y: &mut [T]) {
    let (area, out_area, kernel) = (s.input.1 * s.input.2, s.output.1 * s.output.2, s.kernel.0 * s.kernel.1);
    let (layout, band, taps) = input_layout(s);
    let (width, pitch) = (s.output.2, layout.pitch);
    let (planes, group) = (planes_of_task(out_area), group(&layout));
    let flat_count = whole(band * pitch);
    y.par_chunks_mut(planes * out_area).zip(x.par_chunks(planes * area)).enumerate().for_each(|(task, (y, x))| {
        with_scratch::<T, _>(group * (layout.count() + flat_count), |scratch| {
            let (padded, flat) = scratch.split_at_mut(group * layout.count());
            vectorised(
                #[inline(always)]
                || {
                    for (first, x) in (0..).step_by(group).zip(x.chunks(group * area)) {
                        for start in (0..s.output.1).step_by(band) {
                            let rows = band.min(s.output.1 - start);
                            let members = x.len() / area;
                            for i in 0..members {
                                layout.fill(&x[i * area..], start, T::of(0.0), &mut padded[i * layout.count()..]);
                            }
                            for i in 0..members {
                                let w = &w[(task * planes + first + i) % s.input.0 * kernel..][..kernel];
                                let padded = &padded[i * layout.count()..][..layout.count()];
                                correlate(padded, &taps, w, &mut flat[i * flat_count..][..whole(rows * pitch)]);
                            }
                            for i in 0..members {
                                for row in 0..rows {
                                    let at = (first + i) * out_area + (start + row) * width;
                                    copy(&flat[i * flat_count + row * pitch..], y, at, width);
                                }
                            }
                        }
                    }
                },
            );
        });
    });
}

/// `dx += w dy`, to zeros or to a gradient.
pub(crate) fn backward_input<T: Element>(s: &ConvShape, w: &[T], dy: &[T], dx: &mut [T]) {
    let (area, out_area, kernel) = (s.input.1 * s.input.2, s.output.1 * s.output.2, s.kernel.0 * s.kernel.1);
    let ((height, width), stride, reach) = ((s.input.1, s.input.2), s.stride, reach(s));
    // Input row `y` lies at `y + rest = stride * m + a`, and tap `ky` of remainder `a` finds its output in row
    // `m + padding / stride - ky / stride`: per remainder a convolution of step 1. Columns alike.
    let rest = (s.padding.0 % stride, s.padding.1 % stride);
    let (rows_all, columns) = ((height + rest.0).div_ceil(stride), (width + rest.1).div_ceil(stride));
    let pitch = columns + reach.1;
    let band = (BAND / (pitch * stride * stride)).clamp(1, rows_all);
    let layout = Padded {
        stride: 1,
        before: (
            reach.0 as isize - (s.padding.0 / stride) as isize,
            reach.1 as isize - (s.padding.1 / stride) as isize,
        ),
        plane: (s.output.1, s.output.2),
        rows: band + reach.0,
        pitch,
    };
    let phases: Vec<Vec<Tap>> = (0..stride * stride)
        .map(|phase| {
            let of_phase =
                displacements(s).filter(|&((y, x), _)| (y % stride, x % stride) == (phase / stride, phase % stride));
            let offset = |(y, x): (usize, usize)| layout.offset(reach.0 - y / stride, reach.1 - x / stride);
            of_phase.map(|(at, weight)| Tap { offset: offset(at), weight }).collect()
        })
        .collect();
    let (flat_count, packed_count) = (whole(band * pitch) + LANES, band * stride * width + 2 * LANES);
    let flats = stride * stride * flat_count;
    let (planes, group) = (planes_of_task(area), group(&layout));
    dx.par_chunks_mut(planes * area).zip(dy.par_chunks(planes * out_area)).enumerate().for_each(|(task, (dx, dy))| {
        with_scratch::<T, _>(group * (layout.count() + flats + packed_count), |scratch| {
            let (padded, scratch) = scratch.split_at_mut(group * layout.count());
            let (flat, packed) = scratch.split_at_mut(group * flats);
            vectorised(
                #[inline(always)]
                || {
                    let blocks = dx.chunks_mut(group * area).zip(dy.chunks(group * out_area));
                    for (first, (dx, dy)) in (0..).step_by(group).zip(blocks) {
                        for start in (0..rows_all).step_by(band) {
                            let rows = band.min(rows_all - start);
                            let members = dy.len() / out_area;
                            for i in 0..members {
                                layout.fill(&dy[i * out_area..], start, T::of(0.0), &mut padded[i * layout.count()..]);
                            }
                            for i in 0..members {
                                let w = &w[(task * planes + first + i) % s.input.0 * kernel..][..kernel];
                                let padded = &padded[i * layout.count()..][..layout.count()];
                                let flat = &mut flat[i * flats..][..flats];
                                for (taps, flat) in phases.iter().zip(flat.chunks_exact_mut(flat_count)) {
                                    correlate(padded, taps, w, &mut flat[..whole(rows * pitch)]);
                                }
                            }
                            let from = (start * stride).saturating_sub(rest.0);
                            let to = ((start + rows) * stride - rest.0).min(height);
                            for i in 0..members {
                                let (flat, packed) = (&flat[i * flats..], &mut packed[i * packed_count..]);
                                for y in from..to {
                                    let place = y + rest.0;
                                    let line = (place / stride - start) * pitch;
                                    let phase = |b: usize| &flat[(place % stride * stride + b) * flat_count + line..];
                                    let at = (y - from) * width;
                                    match (stride, rest.1) {
                                        (1, _) => copy(phase(0), packed, at, width),
                                        (2, 0) => interleave(phase(0), phase(1), packed, at, width),
                                        (2, _) => interleave(phase(1), &phase(0)[1..], packed, at, width),
                                        _ => {
                                            for (x, target) in packed[at..][..width].iter_mut().enumerate() {
                                                *target = phase((x + rest.1) % stride)[(x + rest.1) / stride];
                                            }
                                        }
                                    }
                                }
                            }
                            for (i, dx) in dx.chunks_exact_mut(area).enumerate() {
                                let target = &mut dx[from * width..to * width];
                                target
                                    .iter_mut()
                                    .zip(&packed[i * packed_count..])
                                    .for_each(|(target, &v)| *target += v);
                            }
                        }
                    }
                },
            );
        });
    });
}

/// `dw += dy x`, to zeros or to a gradient. A task owns a channel. Sums are kept in [`LANES`] parts and collected in `f64`
/// after every [`BAND`] numbers or more.
pub(crate) fn backward_weight<T: Element>(s: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    let (area, out_area, kernel) = (s.input.1 * s.input.2, s.output.1 * s.output.2, s.kernel.0 * s.kernel.1);
    let (layout, band, taps) = input_layout(s);
    // The same rows, zeros between them: what the taps see there counts nothing.
    let gradient =
        Padded { stride: 1, before: (0, 0), plane: (s.output.1, s.output.2), rows: band, pitch: layout.pitch };
    let group = group(&layout).min(s.n);
    let counts = (layout.count(), gradient.count());
    dw.par_chunks_mut(kernel).enumerate().for_each(|(c, dw)| {
        with_scratch::<T, _>(group * (counts.0 + counts.1) + kernel * LANES, |scratch| {
            let (padded, scratch) = scratch.split_at_mut(group * counts.0);
            let (flat, lanes) = scratch.split_at_mut(group * counts.1);
            let mut totals = vec![0.0; kernel];
            vectorised(
                #[inline(always)]
                || {
                    lanes.fill(T::of(0.0));
                    let (lanes, _) = lanes.as_chunks_mut::<LANES>();
                    let mut pending = 0;
                    for images in (0..s.n).step_by(group) {
                        let members = group.min(s.n - images);
                        for start in (0..s.output.1).step_by(band) {
                            for i in 0..members {
                                let plane = (images + i) * s.input.0 + c;
                                let zero = T::of(0.0);
                                layout.fill(&x[plane * area..], start, zero, &mut padded[i * counts.0..]);
                                gradient.fill(&dy[plane * out_area..], start, zero, &mut flat[i * counts.1..]);
                            }
                            let count = whole(band.min(s.output.1 - start) * layout.pitch);
                            for i in 0..members {
                                let (padded, dy) =
                                    (&padded[i * counts.0..][..counts.0], &flat[i * counts.1..][..count]);
                                // Three taps at a time: their sums and one vector of `dy` fit the registers of SSE2.
                                for (taps, lanes) in taps.chunks(3).zip(lanes.chunks_mut(3)) {
                                    match (taps.as_array::<3>(), lanes.as_mut_array::<3>()) {
                                        (Some(taps), Some(lanes)) => dots(padded, taps, dy, lanes),
                                        _ => {
                                            for (tap, lanes) in taps.iter().zip(lanes) {
                                                dots(padded, &[*tap], dy, std::array::from_mut(lanes));
                                            }
                                        }
                                    }
                                }
                            }
                            pending += members * count;
                            if pending >= BAND {
                                pending = 0;
                                collect(lanes, &mut totals);
                            }
                        }
                    }
                    collect(lanes, &mut totals);
                },
            );
            dw.iter_mut().zip(totals).for_each(|(dw, total)| *dw += T::of(total));
        });
    });
}

/// Adds `sum over i of dy[i] * source[i + offset]` to the lanes of every tap.
#[inline(always)]
fn dots<T: Element, const N: usize>(source: &[T], taps: &[Tap; N], dy: &[T], lanes: &mut [[T; LANES]; N]) {
    let (dy, _) = dy.as_chunks::<LANES>();
    let count = dy.len();
    let mut views: [&[[T; LANES]]; N] = [&[]; N];
    for (view, tap) in views.iter_mut().zip(taps) {
        *view = &source[tap.offset..][..count * LANES].as_chunks().0[..count];
    }
    let mut sums = *lanes;
    for (i, dy) in dy.iter().enumerate() {
        for tap in 0..N {
            let x = &views[tap][i];
            for lane in 0..LANES {
                sums[tap][lane] += dy[lane] * x[lane];
            }
        }
    }
    *lanes = sums;
}

/// Moves the lanes' sums to the totals.
#[inline(always)]
fn collect<T: Element>(lanes: &mut [[T; LANES]], totals: &mut [f64]) {
    for (lanes, total) in lanes.iter_mut().zip(totals) {
        *total += lanes.iter().map(|v| v.wide()).sum::<f64>();
        *lanes = [T::of(0.0); LANES];
    }
}

#[cfg(test)]
mod tests;
