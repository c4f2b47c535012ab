//! Two-dimensional convolution as matrix products over images that are unfolded while they are packed.
//!
//! The input's gradient is a convolution too: of the output's gradient with the weight turned round. Where the stride is
//! `s`, the `s * s` interleaved parts of the input each see their own taps, and are computed one after the other.

use std::ops::Range;

use super::Shared;
use super::affine::Affine;
use super::dispatch::vectorised;
use super::maps::Maps;
use super::product::{Left, product, product_along};
use super::shape::ConvShape;
use super::unfold::Unfold;
use super::winograd;
use crate::element::Element;

/// Whether these sizes are served here: not strided and dilated at once, nor padded beyond the reach of the kernel.
pub(crate) fn serves(s: &ConvShape) -> bool {
    (0..s.stride).all(|phase| Phase::of(s, phase).into_iter().flatten().count() == 2)
        && (s.stride == 1 || s.dilation == 1)
}

/// Cuts columns (output pixels of a batch) at the images: `part(image, first pixel, columns of the block)`.
pub(crate) fn by_image(columns: Range<usize>, area: usize, mut part: impl FnMut(usize, usize, Range<usize>)) {
    let mut at = columns.start;
    while at < columns.end {
        let (image, pixel) = (at / area, at % area);
        let count = (area - pixel).min(columns.end - at);
        let first = at - columns.start;
        part(image, pixel, first..first + count);
        at += count;
    }
}

/// `y[n, o] = sum_c w[o, c] * x[n, c]` over every tap, changed by `finish`, whose channels are `y`'s; `y_image` numbers
/// lie between two images of `y`.
pub(crate) fn forward<T: Element>(
    s: &ConvShape,
    x: Maps<'_, T>,
    w: &[T],
    finish: Option<Affine<'_, T>>,
    y: &mut [T],
    y_image: usize,
) {
    let (cg, og, area) = (s.c_group(), s.o_group(), s.out_area());
    let depth = cg * s.taps();
    let target = Shared::new(y);
    if winograd::serves(s) {
        return winograd::forward(s, x, w, |row, image, pixel, numbers| {
            // SAFETY: pieces do not overlap, and this one is the task's own.
            let y = unsafe { target.slice(image * y_image + row * area + pixel, numbers.len()) };
            match &finish {
                None => y.copy_from_slice(numbers),
                Some(finish) => finish.apply(row, numbers, y),
            }
        });
    }
    for group in 0..s.groups {
        let left = Left::pack_rows(og, (1, depth), |_, row| &w[(group * og + row) * depth..][..depth]);
        let right = Unfold::of(&x, s, group * cg, cg);
        product(&left, &right, s.n * area, |block| {
            for (row, line) in block.lines() {
                by_image(block.columns.clone(), area, |image, pixel, part| {
                    let at = image * y_image + (group * og + row) * area + pixel;
                    // SAFETY: blocks do not overlap, and this one is the task's own.
                    let y = unsafe { target.slice(at, part.len()) };
                    match &finish {
                        None => y.copy_from_slice(&line[part]),
                        Some(finish) => finish.apply(group * og + row, &line[part], y),
                    }
                });
            }
        });
    }
}

/// `dx += w^T dy`, or `dx = w^T dy` where not to `add` (at stride 1 only: else `dx` must hold zeros or a gradient).
pub(crate) fn backward_input<T: Element>(s: &ConvShape, w: &[T], dy: Maps<'_, T>, dx: &mut [T], add: bool) {
    let (cg, og, taps) = (s.c_group(), s.o_group(), s.taps());
    let target = Shared::new(dx);
    let back =
        ConvShape { input: s.output, output: s.input, padding: (2 - s.padding.0.min(2), 2 - s.padding.1.min(2)), ..*s };
    if winograd::serves(s) {
        return winograd::backward_input(&back, w, dy, |row, image, pixel, numbers| {
            let at = (image * s.input.0 + row) * s.in_area() + pixel;
            // SAFETY: pieces do not overlap, and this one is the task's own.
            let dx = unsafe { target.slice(at, numbers.len()) };
            if add {
                dx.iter_mut().zip(numbers).for_each(|(dx, &v)| *dx += v);
            } else {
                dx.copy_from_slice(numbers);
            }
        });
    }
    for phase in 0..s.stride * s.stride {
        let (py, px) = (phase / s.stride, phase % s.stride);
        // Neither is missing where `serves` holds.
        let ([Some(down), _], [_, Some(across)]) = (Phase::of(s, py), Phase::of(s, px)) else { continue };
        if down.taps * across.taps * down.size * across.size == 0 {
            continue;
        }
        let shape = ConvShape {
            n: s.n,
            input: s.output,
            output: (s.input.0, down.size, across.size),
            kernel: (down.taps, across.taps),
            stride: 1,
            padding: (down.padding, across.padding),
            dilation: s.dilation,
            groups: s.groups,
        };
        let area = shape.out_area();
        for group in 0..s.groups {
            let own = shape.taps();
            let turned: Vec<usize> =
                (0..own).map(|tap| down.tap(tap / across.taps) * s.kernel.1 + across.tap(tap % across.taps)).collect();
            let left = Left::pack(cg, og * own, |micro, first, count, out| {
                let mut lines = out.chunks_exact_mut(micro.rows);
                for o in group * og..(group + 1) * og {
                    let w = &w[(o * cg + first) * taps..][..count * taps];
                    for (&tap, line) in turned.iter().zip(&mut lines) {
                        line.iter_mut().zip(w[tap..].iter().step_by(taps)).for_each(|(out, &w)| *out = w);
                    }
                }
            });
            let right = Unfold::of(&dy, &shape, group * og, og);
            product(&left, &right, s.n * area, |block| {
                for (row, line) in block.lines() {
                    by_image(block.columns.clone(), area, |image, pixel, part| {
                        let plane = (image * s.input.0 + group * cg + row) * s.in_area();
                        if s.stride == 1 {
                            // SAFETY: blocks do not overlap, and this one is the task's own.
                            let dx = unsafe { target.slice(plane + pixel, part.len()) };
                            if !add {
                                return dx.copy_from_slice(&line[part]);
                            }
                            return vectorised(
                                #[inline(always)]
                                || dx.iter_mut().zip(&line[part]).for_each(|(dx, &v)| *dx += v),
                            );
                        }
                        for (pixel, &value) in (pixel..).zip(&line[part]) {
                            let (iy, ix) = (pixel / across.size * s.stride + py, pixel % across.size * s.stride + px);
                            // SAFETY: as above; the pixels of different phases differ.
                            unsafe { *target.at(plane + iy * s.input.2 + ix) += value };
                        }
                    });
                }
            });
        }
    }
}

/// One of the interleaved parts of an axis of the input: which taps of the kernel reach it, turned round.
struct Phase {
    first: usize,
    taps: usize,
    padding: usize,
    stride: usize,
    /// Positions of the part.
    size: usize,
}

impl Phase {
    /// Of the rows and of the columns; `None` where the output would have to be cut instead of padded.
    fn of(s: &ConvShape, phase: usize) -> [Option<Self>; 2] {
        let axis = |kernel: usize, padding: usize, size: usize| {
            // Position `stride * i + phase` is read through tap k by output `i + (phase + padding - k * dilation) / stride`.
            let first = (phase + padding) % s.stride;
            let taps = kernel.saturating_sub(first).div_ceil(s.stride);
            let ahead = (phase + padding) / s.stride;
            let reach = s.dilation * (taps.max(1) - 1);
            let padding = if taps == 0 { 0 } else { reach.checked_sub(ahead)? };
            Some(Self { first, taps, padding, stride: s.stride, size: size.saturating_sub(phase).div_ceil(s.stride) })
        };
        [axis(s.kernel.0, s.padding.0, s.input.1), axis(s.kernel.1, s.padding.1, s.input.2)]
    }

    /// The tap of the kernel that is the part's tap `index`.
    fn tap(&self, index: usize) -> usize {
        self.first + (self.taps - 1 - index) * self.stride
    }
}

/// `dw += dy x^T`. `dw` holds zeros or a gradient to add to; `dy` has no affine map.
pub(crate) fn backward_weight<T: Element>(s: &ConvShape, x: Maps<'_, T>, dy: Maps<'_, T>, dw: &mut [T]) {
    let (cg, og, area) = (s.c_group(), s.o_group(), s.out_area());
    let depth = cg * s.taps();
    if winograd::serves(s) {
        return winograd::backward_weight(s, x, dy, dw);
    }
    for (group, dw) in dw.chunks_exact_mut(og * depth).enumerate() {
        let left = Left::pack_rows(og, (s.n, area), |image, o| {
            &dy.numbers[image * dy.image + (group * og + o) * area..][..area]
        });
        let x = Unfold::of(&x, s, group * cg, cg);
        product_along(&left, |micro, pixels, columns, out| x.pack_turned(micro, pixels, columns, out), depth, dw);
    }
}

#[cfg(test)]
pub(crate) mod reference {
    //! The convolution as its definition reads.
    use super::ConvShape;

    /// Calls `f(y index, x index, w index)` for every product of the convolution.
    pub(crate) fn products(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
        let (cg, og) = (s.input.0 / s.groups, s.output.0 / s.groups);
        for n in 0..s.n {
            for o in 0..s.output.0 {
                for oy in 0..s.output.1 {
                    for ox in 0..s.output.2 {
                        for c in 0..cg {
                            for ky in 0..s.kernel.0 {
                                for kx in 0..s.kernel.1 {
                                    let iy = (oy * s.stride + ky * s.dilation) as isize - s.padding.0 as isize;
                                    let ix = (ox * s.stride + kx * s.dilation) as isize - s.padding.1 as isize;
                                    let inside = 0..s.input.1 as isize;
                                    if !inside.contains(&iy) || ix < 0 || ix >= s.input.2 as isize {
                                        continue;
                                    }
                                    let channel = o / og * cg + c;
                                    f(
                                        ((n * s.output.0 + o) * s.output.1 + oy) * s.output.2 + ox,
                                        ((n * s.input.0 + channel) * s.input.1 + iy as usize) * s.input.2 + ix as usize,
                                        ((o * cg + c) * s.kernel.0 + ky) * s.kernel.1 + kx,
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Generator;

    fn numbers(name: &str, count: usize) -> Vec<f64> {
        let mut generator = Generator::new(1, name, &[]);
        (0..count).map(|_| generator.normal()).collect()
    }

    #[track_caller]
    fn close(a: &[f64], b: &[f64]) {
        let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-11, "{worst}");
    }

    #[test]
    fn kernels_agree_with_the_definition() {
        // n, c, h, w, o, kh, kw, stride, ph, pw, dilation, groups
        let cases = [
            [2, 3, 11, 7, 5, 3, 3, 1, 1, 1, 1, 1],
            [1, 4, 9, 12, 6, 1, 1, 1, 0, 0, 1, 1],
            [3, 4, 9, 12, 6, 1, 1, 2, 0, 0, 1, 2],
            [2, 3, 23, 17, 8, 7, 7, 2, 3, 3, 1, 1],
            [1, 6, 8, 9, 6, 3, 3, 2, 1, 1, 1, 6],
            [1, 6, 8, 9, 12, 3, 3, 1, 2, 2, 2, 3],
            [2, 20, 7, 7, 40, 1, 7, 1, 0, 3, 1, 1],
            [5, 70, 5, 4, 130, 3, 3, 2, 1, 1, 1, 1],
            [3, 40, 3, 3, 65, 1, 1, 1, 0, 0, 1, 1],
            [1, 2, 3, 3, 2, 5, 5, 1, 2, 2, 1, 1],
            [1, 40, 30, 300, 33, 3, 3, 1, 1, 1, 1, 1],
            [2, 5, 12, 11, 4, 5, 5, 3, 2, 2, 1, 1],
            [3, 70, 17, 16, 50, 3, 3, 2, 0, 0, 1, 1],
            [2, 64, 14, 14, 40, 3, 3, 1, 1, 1, 1, 1],
            // By Winograd's tiles: whole and cut ones, runs longer and shorter than a panel, groups, every padding.
            [3, 16, 33, 15, 20, 3, 3, 1, 1, 1, 1, 1],
            [5, 50, 15, 16, 33, 3, 3, 1, 2, 0, 1, 1],
            [2, 40, 12, 150, 34, 3, 3, 1, 0, 2, 1, 2],
            [8, 70, 14, 14, 130, 3, 3, 1, 1, 1, 1, 1],
        ];
        for [n, c, h, w, o, kh, kw, stride, ph, pw, dilation, groups] in cases {
            let out = |size: usize, k: usize, p: usize| (size + 2 * p - dilation * (k - 1) - 1) / stride + 1;
            let s = ConvShape {
                n,
                input: (c, h, w),
                output: (o, out(h, kh, ph), out(w, kw, pw)),
                kernel: (kh, kw),
                stride,
                padding: (ph, pw),
                dilation,
                groups,
            };
            let (x, weight) = (numbers("x", n * c * h * w), numbers("w", o * c / groups * kh * kw));
            let dy = numbers("dy", n * o * s.out_area());
            let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.5; x.len()], vec![0.5; weight.len()]);
            let (mut y1, mut dx1, mut dw1) = (vec![0.0; dy.len()], vec![0.5; x.len()], vec![0.5; weight.len()]);
            reference::products(&s, |iy, ix, iw| {
                y1[iy] += x[ix] * weight[iw];
                dx1[ix] += dy[iy] * weight[iw];
                dw1[iw] += dy[iy] * x[ix];
            });
            assert!(serves(&s), "{s:?}");
            forward(&s, Maps::whole(&x, c, h * w), &weight, None, &mut y, o * s.out_area());
            backward_input(&s, &weight, Maps::whole(&dy, o, s.out_area()), &mut dx, true);
            backward_weight(&s, Maps::whole(&x, c, h * w), Maps::whole(&dy, o, s.out_area()), &mut dw);
            close(&y, &y1);
            close(&dx, &dx1);
            close(&dw, &dw1);
            if groups == c && o == c {
                let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.5; x.len()], vec![0.5; weight.len()]);
                crate::kernels::depthwise::forward(&s, &x, &weight, &mut y);
                crate::kernels::depthwise::backward_input(&s, &weight, &dy, &mut dx);
                crate::kernels::depthwise::backward_weight(&s, &x, &dy, &mut dw);
                close(&y, &y1);
                close(&dx, &dx1);
                close(&dw, &dw1);
            }
        }
    }
}
