//! Two-dimensional convolution by tiled im2col and matrix products; 1 x 1 kernels go straight to the product.
//!
//! Blocking: a tile is a band of output rows of one image and group, as many as keep its unfolded input
//! (`C/groups * kh * kw` rows of `rows * OW` numbers) near [`TILE`] numbers, which a core's second-level cache holds.
//! Tiles are independent in the forward pass; the input's gradient is cut by input channels, so that no two tasks add to
//! one place; the weight's gradient is cut by its columns and rows, each task adding up images and tiles in order.

use rayon::prelude::*;

use super::Shared;
use super::gemm::{Matrix, gemm};
use super::scratch::with_scratch;
use crate::element::Element;

/// Numbers in an unfolded tile.
const TILE: usize = 192 * 1024;

/// Sizes of one convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConvShape {
    /// Images.
    pub(crate) n: usize,
    /// Input channels, height and width.
    pub(crate) input: (usize, usize, usize),
    /// Output channels, height and width.
    pub(crate) output: (usize, usize, usize),
    /// Kernel height and width.
    pub(crate) kernel: (usize, usize),
    /// Step, the same both ways.
    pub(crate) stride: usize,
    /// Zeros added above and below, left and right.
    pub(crate) padding: (usize, usize),
    /// Distance between kernel taps.
    pub(crate) dilation: usize,
    /// Groups of channels that see only each other.
    pub(crate) groups: usize,
}

impl ConvShape {
    fn c_group(&self) -> usize {
        self.input.0 / self.groups
    }
    fn o_group(&self) -> usize {
        self.output.0 / self.groups
    }
    fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }
    fn in_area(&self) -> usize {
        self.input.1 * self.input.2
    }
    fn out_area(&self) -> usize {
        self.output.1 * self.output.2
    }
    fn pointwise(&self) -> bool {
        self.kernel == (1, 1) && self.stride == 1 && self.padding == (0, 0)
    }

    /// Output rows of a tile that unfolds `channels` input channels.
    fn tile_rows(&self, channels: usize) -> usize {
        (TILE / (channels * self.taps() * self.output.2).max(1)).clamp(1, self.output.1)
    }

    /// The output columns `lo..hi` for which tap `kx` falls inside the input, and the input column of `lo`.
    pub(super) fn columns(&self, kx: usize) -> (usize, usize, usize) {
        span(kx * self.dilation, self.stride, self.padding.1, self.input.2, self.output.2)
    }

    /// The input row under output row `oy` and tap `ky`, if it is not padding.
    pub(super) fn row(&self, oy: usize, ky: usize) -> Option<usize> {
        (oy * self.stride + ky * self.dilation).checked_sub(self.padding.0).filter(|&iy| iy < self.input.1)
    }

    /// Unfolds output rows `rows` of `x` (`channels` planes) into `[channels * taps, rows * OW]`, a part of a matrix whose
    /// lines are `line` long, from column `at`.
    pub(super) fn unfold<T: Element>(
        &self,
        x: &[T],
        channels: usize,
        rows: std::ops::Range<usize>,
        col: &mut [T],
        (line, at): (usize, usize),
    ) {
        let (width, ow) = (self.input.2, self.output.2);
        for (index, out) in col.chunks_exact_mut(line).take(channels * self.taps()).enumerate() {
            let out = &mut out[at..at + rows.len() * ow];
            let (c, tap) = (index / self.taps(), index % self.taps());
            let (ky, kx) = (tap / self.kernel.1, tap % self.kernel.1);
            let (lo, hi, first) = self.columns(kx);
            for (oy, out) in rows.clone().zip(out.chunks_exact_mut(ow)) {
                let Some(iy) = self.row(oy, ky).filter(|_| lo < hi) else {
                    out.fill(T::of(0.0));
                    continue;
                };
                let source = &x[c * self.in_area() + iy * width..][..width];
                out[..lo].fill(T::of(0.0));
                out[hi..].fill(T::of(0.0));
                if self.stride == 1 {
                    out[lo..hi].copy_from_slice(&source[first..first + hi - lo]);
                } else {
                    for (out, &value) in out[lo..hi].iter_mut().zip(source[first..].iter().step_by(self.stride)) {
                        *out = value;
                    }
                }
            }
        }
    }

    /// Adds an unfolded tile back to where it came from: the adjoint of [`ConvShape::unfold`].
    pub(super) fn fold_add<T: Element>(
        &self,
        col: &[T],
        channels: usize,
        rows: std::ops::Range<usize>,
        (line, at): (usize, usize),
        x: &mut [T],
    ) {
        let (width, ow) = (self.input.2, self.output.2);
        for (index, values) in col.chunks_exact(line).take(channels * self.taps()).enumerate() {
            let values = &values[at..at + rows.len() * ow];
            let (c, tap) = (index / self.taps(), index % self.taps());
            let (ky, kx) = (tap / self.kernel.1, tap % self.kernel.1);
            let (lo, hi, first) = self.columns(kx);
            if lo >= hi {
                continue;
            }
            for (oy, values) in rows.clone().zip(values.chunks_exact(ow)) {
                let Some(iy) = self.row(oy, ky) else { continue };
                let target = &mut x[c * self.in_area() + iy * width..][..width];
                if self.stride == 1 {
                    target[first..].iter_mut().zip(&values[lo..hi]).for_each(|(t, &v)| *t += v);
                } else {
                    target[first..].iter_mut().step_by(self.stride).zip(&values[lo..hi]).for_each(|(t, &v)| *t += v);
                }
            }
        }
    }
}

/// Output positions `lo..hi` for which `position * stride + offset - padding` is inside `0..size`, and that of `lo`.
pub(super) fn span(offset: usize, stride: usize, padding: usize, size: usize, out: usize) -> (usize, usize, usize) {
    let lo = padding.saturating_sub(offset).div_ceil(stride).min(out);
    let hi = (size + padding).checked_sub(offset + 1).map_or(0, |last| (last / stride + 1).min(out)).max(lo);
    (lo, hi, (lo * stride + offset).saturating_sub(padding))
}

/// `y[n, o] = sum_c w[o, c] * x[n, c]` over every tap.
pub(crate) fn forward<T: Element>(s: &ConvShape, x: &[T], w: &[T], y: &mut [T]) {
    let (cg, og, width) = (s.c_group(), s.o_group(), s.output.2);
    let depth = cg * s.taps();
    let rows = if s.pointwise() { (TILE / (cg * width).max(1)).clamp(1, s.output.1) } else { s.tile_rows(cg) };
    let tiles = s.output.1.div_ceil(rows);
    let target = Shared::new(y);
    (0..s.n * s.groups * tiles).into_par_iter().for_each(|task| {
        let (image, group, tile) = (task / (s.groups * tiles), task / tiles % s.groups, task % tiles);
        let band = tile * rows..((tile + 1) * rows).min(s.output.1);
        let columns = band.len() * width;
        let x = &x[(image * s.input.0 + group * cg) * s.in_area()..][..cg * s.in_area()];
        let w = &w[group * og * depth..][..og * depth];
        let first = (image * s.output.0 + group * og) * s.out_area() + band.start * width;
        let multiply = |col: *const T, line: usize| {
            // SAFETY: `w` is og x depth, `col` depth x columns with lines `line` apart; the task's target is its own band
            // of its own image's and group's output planes.
            unsafe {
                gemm(
                    (og, depth, columns),
                    Matrix { at: w.as_ptr(), row: depth, column: 1 },
                    Matrix { at: col, row: line, column: 1 },
                    Matrix { at: target.at(first), row: s.out_area(), column: 1 },
                    false,
                );
            }
        };
        if s.pointwise() {
            multiply(x[band.start * width..].as_ptr(), s.in_area());
        } else {
            with_scratch::<T, _>(depth * columns, |col| {
                s.unfold(x, cg, band.clone(), col, (columns, 0));
                multiply(col.as_ptr(), columns);
            });
        }
    });
}

/// `dx += w^T dy`. `dx` holds zeros or a gradient to add to.
pub(crate) fn backward_input<T: Element>(s: &ConvShape, w: &[T], dy: &[T], dx: &mut [T]) {
    let (cg, og, width) = (s.c_group(), s.o_group(), s.output.2);
    let depth = cg * s.taps();
    // Enough pieces for eight threads where the batch is small, none so thin that packing `dy` dominates.
    let pieces = 8usize.div_ceil(s.n * s.groups).min(cg.div_ceil(16)).max(1);
    let piece = cg.div_ceil(pieces);
    let target = Shared::new(dx);
    (0..s.n * s.groups * pieces).into_par_iter().for_each(|task| {
        let (image, group, index) = (task / (s.groups * pieces), task / pieces % s.groups, task % pieces);
        let channels = (index * piece).min(cg)..((index + 1) * piece).min(cg);
        if channels.is_empty() {
            return;
        }
        let first = (image * s.input.0 + group * cg + channels.start) * s.in_area();
        // SAFETY: this task's own channels of its own image.
        let dx = unsafe { target.slice(first, channels.len() * s.in_area()) };
        let dy = &dy[(image * s.output.0 + group * og) * s.out_area()..][..og * s.out_area()];
        let w = &w[group * og * depth + channels.start * s.taps()..];
        let multiply = |rows: usize, band: &std::ops::Range<usize>, out: *mut T, line: usize, add: bool| {
            // SAFETY: `w` transposed is rows x og (columns `depth` apart), `dy` og x band; `out` is rows x band, lines
            // `line` apart, and belongs to this task.
            unsafe {
                gemm(
                    (rows, og, band.len() * width),
                    Matrix { at: w.as_ptr(), row: 1, column: depth },
                    Matrix { at: dy[band.start * width..].as_ptr(), row: s.out_area(), column: 1 },
                    Matrix { at: out, row: line, column: 1 },
                    add,
                );
            }
        };
        if s.pointwise() {
            multiply(channels.len(), &(0..s.output.1), dx.as_mut_ptr(), s.in_area(), true);
            return;
        }
        let rows = s.tile_rows(channels.len());
        for start in (0..s.output.1).step_by(rows) {
            let band = start..(start + rows).min(s.output.1);
            let unfolded = channels.len() * s.taps();
            with_scratch::<T, _>(unfolded * band.len() * width, |col| {
                multiply(unfolded, &band, col.as_mut_ptr(), band.len() * width, false);
                s.fold_add(col, channels.len(), band.clone(), (band.len() * width, 0), dx);
            });
        }
    });
}

/// `dw += dy x^T`. `dw` holds zeros or a gradient to add to.
pub(crate) fn backward_weight<T: Element>(s: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    let (cg, og, width) = (s.c_group(), s.o_group(), s.output.2);
    let depth = cg * s.taps();
    // A task holds at least ~128 columns of the weight (packing `dy` is then cheap beside the product), and rows are cut
    // too where columns alone give few tasks. Unfolding is repeated for every cut of the rows, so 1 x 1 kernels get more.
    let channels = 128usize.div_ceil(s.taps()).max(cg.div_ceil(16)).min(cg);
    let across = cg.div_ceil(channels);
    let wanted: usize = if s.pointwise() { 16 } else { 4 };
    let down = wanted.div_ceil(across * s.groups).min(og.div_ceil(32)).max(1);
    let height = og.div_ceil(down);
    let target = Shared::new(dw);
    (0..s.groups * down * across).into_par_iter().for_each(|task| {
        let (group, index, piece) = (task / (down * across), task / across % down, task % across);
        let (o, c) = (
            (index * height).min(og)..((index + 1) * height).min(og),
            piece * channels..((piece + 1) * channels).min(cg),
        );
        if o.is_empty() || c.is_empty() {
            return;
        }
        let unfolded = c.len() * s.taps();
        // SAFETY: within `dw`; this task alone writes these rows and columns.
        let out = unsafe { target.at((group * og + o.start) * depth + c.start * s.taps()) };
        for image in 0..s.n {
            let dy = &dy[(image * s.output.0 + group * og + o.start) * s.out_area()..][..o.len() * s.out_area()];
            let x = &x[(image * s.input.0 + group * cg + c.start) * s.in_area()..][..c.len() * s.in_area()];
            let multiply = |band: &std::ops::Range<usize>, col: *const T, line: usize| {
                // SAFETY: `dy` is o x band, `col` transposed band x unfolded; the target is this task's own.
                unsafe {
                    gemm(
                        (o.len(), band.len() * width, unfolded),
                        Matrix { at: dy[band.start * width..].as_ptr(), row: s.out_area(), column: 1 },
                        Matrix { at: col, row: 1, column: line },
                        Matrix { at: out, row: depth, column: 1 },
                        true,
                    );
                }
            };
            if s.pointwise() {
                multiply(&(0..s.output.1), x.as_ptr(), s.in_area());
                continue;
            }
            let rows = s.tile_rows(c.len());
            for start in (0..s.output.1).step_by(rows) {
                let band = start..(start + rows).min(s.output.1);
                with_scratch::<T, _>(unfolded * band.len() * width, |col| {
                    s.unfold(x, c.len(), band.clone(), col, (band.len() * width, 0));
                    multiply(&band, col.as_ptr(), band.len() * width);
                });
            }
        }
    });
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
            forward(&s, &x, &weight, &mut y);
            backward_input(&s, &weight, &dy, &mut dx);
            backward_weight(&s, &x, &dy, &mut dw);
            close(&y, &y1);
            close(&dx, &dx1);
            close(&dw, &dw1);
            if crate::kernels::batched_convolution::serves(&s) {
                let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.5; x.len()], vec![0.5; weight.len()]);
                crate::kernels::batched_convolution::forward(&s, &x, &weight, &mut y);
                crate::kernels::batched_convolution::backward_input(&s, &weight, &dy, &mut dx);
                crate::kernels::batched_convolution::backward_weight(&s, &x, &dy, &mut dw);
                close(&y, &y1);
                close(&dx, &dx1);
                close(&dw, &dw1);
            }
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
