//! Max pooling that remembers which tap won; of equal values the first in reading order, as PyTorch.

use rayon::prelude::*;

use super::convolution::ConvShape;
use crate::element::Element;

/// Maxima of every window, and the winning place in its input plane. Padding never wins.
pub(crate) fn forward<T: Element>(s: &ConvShape, x: &[T], y: &mut [T], winners: &mut [u32]) {
    let (area, out_area) = (s.input.1 * s.input.2, s.output.1 * s.output.2);
    let planes = y.par_chunks_mut(out_area).zip(winners.par_chunks_mut(out_area)).zip(x.par_chunks(area));
    planes.for_each(|((y, winners), x)| {
        for oy in 0..s.output.1 {
            for ox in 0..s.output.2 {
                let mut best: Option<(T, usize)> = None;
                for iy in (0..s.kernel.0).filter_map(|ky| s.row(oy, ky)) {
                    for kx in 0..s.kernel.1 {
                        let Some(ix) = (ox * s.stride + kx).checked_sub(s.padding.1).filter(|&ix| ix < s.input.2)
                        else {
                            continue;
                        };
                        let value = x[iy * s.input.2 + ix];
                        // A NaN wins and stays: a broken step must be seen.
                        if best.is_none_or(|(top, _)| value > top || (value.is_nan() && !top.is_nan())) {
                            best = Some((value, iy * s.input.2 + ix));
                        }
                    }
                }
                let (value, place) = best.unwrap_or((T::of(f64::NEG_INFINITY), 0));
                y[oy * s.output.2 + ox] = value;
                winners[oy * s.output.2 + ox] = place as u32;
            }
        }
    });
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
