//! Max pooling that remembers which tap won; of equal values the first in reading order, as PyTorch.
//!
//! Blocking: as the depthwise convolution, bands of rows with a border of minus infinity ([`Padded`]). For one tap after
//! the other a flat loop over the band's outputs, all in the first-level cache, keeps the greatest number and the shift of
//! the tap it came from.

use rayon::prelude::*;

use super::dispatch::vectorised;
use super::padded::{BAND, LANES, Padded, copy};
use super::scratch::with_scratch;
use super::shape::ConvShape;
use crate::element::Element;

/// No tap has won yet.
const NONE: u32 = u32::MAX;

/// A tap: its shift in the padded band, and in the plane.
type Tap = (usize, u32);

/// Maxima of every window, and the winning place in its input plane. Padding never wins.
pub(crate) fn forward<T: Element>(s: &ConvShape, x: &[T], y: &mut [T], winners: &mut [u32]) {
    let (area, out_area) = (s.input.1 * s.input.2, s.output.1 * s.output.2);
    let reach = ((s.kernel.0 - 1) / s.stride, (s.kernel.1 - 1) / s.stride);
    let (width, pitch) = (s.output.2, s.output.2 + reach.1);
    let band = (BAND / (pitch * s.stride * s.stride)).clamp(1, s.output.1);
    let layout = Padded {
        stride: s.stride,
        before: (s.padding.0 as isize, s.padding.1 as isize),
        plane: (s.input.1, s.input.2),
        rows: band + reach.0,
        pitch,
    };
    let taps: Vec<Tap> = (0..s.kernel.0 * s.kernel.1)
        .map(|tap| (tap / s.kernel.1, tap % s.kernel.1))
        .map(|(ky, kx)| (layout.offset(ky, kx), (ky * s.input.2 + kx) as u32))
        .collect();
    let whole = |rows: usize| (rows * pitch).next_multiple_of(LANES);
    let planes = y.par_chunks_mut(out_area).zip(winners.par_chunks_mut(out_area)).zip(x.par_chunks(area));
    planes.for_each_init(
        || vec![NONE; whole(band)],
        |shifts, ((y, winners), x)| {
            with_scratch::<T, _>(layout.count() + whole(band), |scratch| {
                let (padded, best) = scratch.split_at_mut(layout.count());
                vectorised(
                    #[inline(always)]
                    || {
                        for start in (0..s.output.1).step_by(band) {
                            let rows = band.min(s.output.1 - start);
                            layout.fill(x, start, T::neg_infinity(), padded);
                            greatest(padded, &taps, &mut best[..whole(rows)], &mut shifts[..whole(rows)]);
                            for row in 0..rows {
                                let (from, at) = (row * pitch, (start + row) * width);
                                copy(&best[from..], y, at, width);
                                let corner = corner(s, start + row, 0);
                                for (i, (w, &shift)) in
                                    winners[at..at + width].iter_mut().zip(&shifts[from..]).enumerate()
                                {
                                    // Wraps below zero in the border, and back with the tap's shift.
                                    *w = corner.wrapping_add((i * s.stride) as u32).wrapping_add(shift);
                                }
                                if shifts[from..from + width].contains(&NONE) {
                                    first_taps(s, start + row, &shifts[from..], &mut winners[at..at + width]);
                                }
                            }
                        }
                    },
                );
            });
        },
    );
}

/// The place of a window's first tap, modulo 2^32 where it lies in the border.
#[inline(always)]
fn corner(s: &ConvShape, oy: usize, ox: usize) -> u32 {
    let place = (oy * s.stride) as isize - s.padding.0 as isize;
    (place * s.input.2 as isize + (ox * s.stride) as isize - s.padding.1 as isize) as u32
}

/// Where nothing exceeded minus infinity, the first tap inside the plane wins.
#[cold]
fn first_taps(s: &ConvShape, oy: usize, shifts: &[u32], winners: &mut [u32]) {
    let y = (oy * s.stride).saturating_sub(s.padding.0);
    for (ox, winner) in winners.iter_mut().enumerate().filter(|&(ox, _)| shifts[ox] == NONE) {
        *winner = (y * s.input.2 + (ox * s.stride).saturating_sub(s.padding.1)) as u32;
    }
}

/// The greatest number of every window, and the plane's shift of the tap it came from.
#[inline(always)]
fn greatest<T: Element>(source: &[T], taps: &[Tap], best: &mut [T], shifts: &mut [u32]) {
    best.fill(T::neg_infinity());
    shifts.fill(NONE);
    for &(offset, shift) in taps {
        for ((top, from), &x) in best.iter_mut().zip(&mut *shifts).zip(&source[offset..]) {
            // A NaN wins and stays: a broken step must be seen. Without branches, so that the loop is vectorised.
            let wins = (x > *top) | (x.is_nan() & !top.is_nan());
            *top = if wins { x } else { *top };
            *from = if wins { shift } else { *from };
        }
    }
}

/// Adds each output's gradient to the input that won.
pub(crate) fn backward<T: Element>(s: &ConvShape, winners: &[u32], dy: &[T], dx: &mut [T]) {
    let (area, out_area) = (s.input.1 * s.input.2, s.output.1 * s.output.2);
    dx.par_chunks_mut(area).zip(dy.par_chunks(out_area)).zip(winners.par_chunks(out_area)).for_each(
        |((dx, dy), winners)| {
            for (&place, &g) in winners.iter().zip(dy) {
                dx[place as usize] += g;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::same_at_every_level;
    use super::*;
    use crate::formula::uniform;

    /// The maximum as its definition reads: of equal numbers the first in reading order, a NaN over any number.
    fn reference(s: &ConvShape, x: &[f64]) -> (Vec<f64>, Vec<u32>) {
        let mut all = (vec![], vec![]);
        for plane in x.chunks(s.input.1 * s.input.2) {
            for (oy, ox) in (0..s.output.1 * s.output.2).map(|o| (o / s.output.2, o % s.output.2)) {
                let mut best: Option<(f64, usize)> = None;
                for (ky, kx) in (0..s.kernel.0 * s.kernel.1).map(|tap| (tap / s.kernel.1, tap % s.kernel.1)) {
                    let inside =
                        |o: usize, k: usize, p: usize, size| (o * s.stride + k).checked_sub(p).filter(|&i| i < size);
                    let y = inside(oy, ky, s.padding.0, s.input.1);
                    let Some((y, x)) = y.zip(inside(ox, kx, s.padding.1, s.input.2)) else { continue };
                    let value = plane[y * s.input.2 + x];
                    if best.is_none_or(|(top, _)| value > top || (value.is_nan() && !top.is_nan())) {
                        best = Some((value, y * s.input.2 + x));
                    }
                }
                let (value, place) = best.expect("every window sees the plane");
                all.0.push(value);
                all.1.push(place as u32);
            }
        }
        all
    }

    #[test]
    fn maxima_ties_nan_and_minus_infinity_agree_with_the_definition() {
        for [h, w, k, stride, p] in [
            [112, 112, 3, 2, 1],
            [15, 40, 2, 2, 0],
            [7, 9, 3, 1, 1],
            [20, 33, 3, 3, 0],
            [9, 9, 2, 3, 1],
            [14, 14, 5, 2, 2],
        ] {
            let out = |size: usize| (size + 2 * p - k) / stride + 1;
            let s = ConvShape {
                n: 2,
                input: (3, h, w),
                output: (3, out(h), out(w)),
                kernel: (k, k),
                stride,
                padding: (p, p),
                dilation: 1,
                groups: 3,
            };
            // Few values, so that many are equal; some are not finite, one plane is minus infinity throughout.
            let value = |u: f64| match (u * 1000.0) as u32 {
                0..3 => f64::NAN,
                3..6 => f64::INFINITY,
                6..200 => f64::NEG_INFINITY,
                _ => (u * 7.0).floor() - 3.0,
            };
            let mut x: Vec<f64> = uniform("x", 6 * h * w).into_iter().map(value).collect();
            x[h * w..2 * h * w].fill(f64::NEG_INFINITY);
            let (y, winners) = reference(&s, &x);
            let bits = |y: &[f64]| y.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            let found = same_at_every_level(|| {
                let (mut y, mut winners) = (vec![0.0; y.len()], vec![0; y.len()]);
                forward(&s, &x, &mut y, &mut winners);
                (bits(&y), winners)
            });
            assert_eq!(found, (bits(&y), winners), "{s:?}");
            let narrow: Vec<f32> = x.iter().map(|&v| v as f32).collect();
            let (mut y1, mut winners1) = (vec![0f32; y.len()], vec![0; y.len()]);
            forward(&s, &narrow, &mut y1, &mut winners1);
            assert_eq!(winners1, found.1);
        }
    }
}
