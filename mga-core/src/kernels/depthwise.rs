//! Depthwise convolution (one filter a channel), directly: each task owns a plane, and adds one tap after the other to
//! whole rows, which the compiler vectorises. The reference loop it is tested against is `convolution::reference`.

use rayon::prelude::*;

use super::convolution::ConvShape;
use crate::element::Element;

/// Calls `f(row of out, row of in, weight index)` for every output row and tap inside the input, with equal lengths:
/// element `i` of the output row belongs to element `i * stride` of the input row.
fn rows(s: &ConvShape, mut f: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>, usize)) {
    let (width, ow) = (s.input.2, s.output.2);
    for oy in 0..s.output.1 {
        for ky in 0..s.kernel.0 {
            let Some(iy) = s.row(oy, ky) else { continue };
            for kx in 0..s.kernel.1 {
                let (lo, hi, first) = s.columns(kx);
                if lo < hi {
                    let last = first + (hi - lo - 1) * s.stride + 1;
                    f(oy * ow + lo..oy * ow + hi, iy * width + first..iy * width + last, ky * s.kernel.1 + kx);
                }
            }
        }
    }
}

/// `y[n, c] = w[c] * x[n, c]`.
pub(crate) fn forward<T: Element>(s: &ConvShape, x: &[T], w: &[T], y: &mut [T]) {
    let (taps, area) = (s.kernel.0 * s.kernel.1, s.input.1 * s.input.2);
    y.par_chunks_mut(s.output.1 * s.output.2).zip(x.par_chunks(area)).enumerate().for_each(|(plane, (y, x))| {
        let w = &w[plane % s.input.0 * taps..][..taps];
        y.fill(T::of(0.0));
        rows(s, |out, input, tap| {
            let weight = w[tap];
            if s.stride == 1 {
                y[out].iter_mut().zip(&x[input]).for_each(|(y, &x)| *y += weight * x);
            } else {
                y[out].iter_mut().zip(x[input].iter().step_by(s.stride)).for_each(|(y, &x)| *y += weight * x);
            }
        });
    });
}

/// `dx += w dy`, to zeros or to a gradient.
pub(crate) fn backward_input<T: Element>(s: &ConvShape, w: &[T], dy: &[T], dx: &mut [T]) {
    let (taps, area) = (s.kernel.0 * s.kernel.1, s.output.1 * s.output.2);
    dx.par_chunks_mut(s.input.1 * s.input.2).zip(dy.par_chunks(area)).enumerate().for_each(|(plane, (dx, dy))| {
        let w = &w[plane % s.input.0 * taps..][..taps];
        rows(s, |out, input, tap| {
            let weight = w[tap];
            if s.stride == 1 {
                dx[input].iter_mut().zip(&dy[out]).for_each(|(x, &y)| *x += weight * y);
            } else {
                dx[input].iter_mut().step_by(s.stride).zip(&dy[out]).for_each(|(x, &y)| *x += weight * y);
            }
        });
    });
}

/// `dw += dy x`, to zeros or to a gradient.
pub(crate) fn backward_weight<T: Element>(s: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    let (taps, area, out_area) = (s.kernel.0 * s.kernel.1, s.input.1 * s.input.2, s.output.1 * s.output.2);
    dw.par_chunks_mut(taps).enumerate().for_each(|(c, dw)| {
        for image in 0..s.n {
            let plane = image * s.input.0 + c;
            let (x, dy) = (&x[plane * area..][..area], &dy[plane * out_area..][..out_area]);
            rows(s, |out, input, tap| {
                dw[tap] += if s.stride == 1 {
                    dot(&dy[out], &x[input])
                } else {
                    dy[out].iter().zip(x[input].iter().step_by(s.stride)).map(|(&a, &b)| a * b).sum()
                };
            });
        }
    });
}

/// A dot product in 16 lanes, so that the compiler may vectorise it.
fn dot<T: Element>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::of(0.0); 16];
    let (a, b) = (a.chunks_exact(16), b.chunks_exact(16));
    let tail: T = a.remainder().iter().zip(b.remainder()).map(|(&a, &b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for (lane, (&a, &b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.into_iter().sum::<T>() + tail
}
