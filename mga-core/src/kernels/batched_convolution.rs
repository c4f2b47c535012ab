//! Convolution of small maps: images are unfolded side by side into one matrix, so that the weight is read once for
//! many of them. Image by image a 3 x 3 map gives a product nine columns wide, and all its time goes into the weight.
//!
//! Blocking: as many images at a time as keep the unfolded matrix (`C kh kw` rows of `images OH OW` numbers) near
//! [`BLOCK`] numbers; tasks own bands of its rows, or of the weight. The reference is `convolution::reference`.

use rayon::prelude::*;

use super::Shared;
use super::convolution::ConvShape;
use super::gemm::{Matrix, gemm};
use super::scratch::with_scratch;
use crate::element::{Element, zeros};

/// Numbers in an unfolded block of images.
const BLOCK: usize = 4 << 20;
/// Output channels a task multiplies.
const BAND: usize = 64;

/// Whether these sizes are better served here.
pub(crate) fn serves(s: &ConvShape) -> bool {
    s.groups == 1 && s.n > 1 && s.output.1 * s.output.2 < 128
}

/// The blocks of images, and the depth of the products.
fn blocks(s: &ConvShape) -> (impl Iterator<Item = std::ops::Range<usize>> + use<>, usize) {
    let depth = s.input.0 * s.kernel.0 * s.kernel.1;
    let images = (BLOCK / (depth * s.output.1 * s.output.2).max(1)).clamp(1, s.n);
    let n = s.n;
    ((0..n).step_by(images).map(move |start| start..(start + images).min(n)), depth)
}

/// `[C kh kw, images OH OW]`, channel by channel in parallel.
fn unfold<T: Element>(s: &ConvShape, x: &[T], images: &std::ops::Range<usize>, col: &mut [T]) {
    let (area, out_area, taps) = (s.input.1 * s.input.2, s.output.1 * s.output.2, s.kernel.0 * s.kernel.1);
    let columns = images.len() * out_area;
    col.par_chunks_mut(taps * columns).enumerate().for_each(|(channel, col)| {
        for (place, image) in images.clone().enumerate() {
            let plane = &x[(image * s.input.0 + channel) * area..][..area];
            s.unfold(plane, 1, 0..s.output.1, col, (columns, place * out_area));
        }
    });
}

/// `dy` of some images as `[O, images OH OW]`.
fn gather<T: Element>(s: &ConvShape, dy: &[T], images: &std::ops::Range<usize>) -> Vec<T> {
    let out_area = s.output.1 * s.output.2;
    let mut joint = zeros::<T>(s.output.0 * images.len() * out_area);
    joint.par_chunks_mut(images.len() * out_area).with_min_len(16).enumerate().for_each(|(o, row)| {
        for (part, image) in row.chunks_exact_mut(out_area).zip(images.clone()) {
            part.copy_from_slice(&dy[(image * s.output.0 + o) * out_area..][..out_area]);
        }
    });
    joint
}

/// As [`super::convolution::forward`].
pub(crate) fn forward<T: Element>(s: &ConvShape, x: &[T], w: &[T], y: &mut [T]) {
    let (blocks, depth) = blocks(s);
    let out_area = s.output.1 * s.output.2;
    let target = Shared::new(y);
    for images in blocks {
        let columns = images.len() * out_area;
        let mut col = zeros::<T>(depth * columns);
        unfold(s, x, &images, &mut col);
        (0..s.output.0.div_ceil(BAND)).into_par_iter().for_each(|band| {
            let channels = band * BAND..((band + 1) * BAND).min(s.output.0);
            with_scratch::<T, _>(channels.len() * columns, |joint| {
                // SAFETY: `w` from the band's first row is channels x depth, `col` depth x columns, `joint` ours.
                unsafe {
                    gemm(
                        (channels.len(), depth, columns),
                        Matrix { at: w[channels.start * depth..].as_ptr(), row: depth, column: 1 },
                        Matrix { at: col.as_ptr(), row: columns, column: 1 },
                        Matrix { at: joint.as_mut_ptr(), row: columns, column: 1 },
                        false,
                    );
                }
                for (o, row) in channels.clone().zip(joint.chunks_exact(columns)) {
                    for (image, part) in images.clone().zip(row.chunks_exact(out_area)) {
                        // SAFETY: this band's own channels of the image.
                        let y = unsafe { target.slice((image * s.output.0 + o) * out_area, out_area) };
                        y.copy_from_slice(part);
                    }
                }
            });
        });
    }
}

/// As [`super::convolution::backward_input`].
pub(crate) fn backward_input<T: Element>(s: &ConvShape, w: &[T], dy: &[T], dx: &mut [T]) {
    let (blocks, depth) = blocks(s);
    let (area, out_area, taps) = (s.input.1 * s.input.2, s.output.1 * s.output.2, s.kernel.0 * s.kernel.1);
    let piece = 256usize.div_ceil(taps).min(s.input.0);
    let target = Shared::new(dx);
    for images in blocks {
        let columns = images.len() * out_area;
        let joint = gather(s, dy, &images);
        (0..s.input.0.div_ceil(piece)).into_par_iter().for_each(|index| {
            let channels = index * piece..((index + 1) * piece).min(s.input.0);
            let rows = channels.len() * taps;
            with_scratch::<T, _>(rows * columns, |col| {
                // SAFETY: the weight's columns of these channels, transposed, are rows x O; `joint` is O x columns.
                unsafe {
                    gemm(
                        (rows, s.output.0, columns),
                        Matrix { at: w[channels.start * taps..].as_ptr(), row: 1, column: depth },
                        Matrix { at: joint.as_ptr(), row: columns, column: 1 },
                        Matrix { at: col.as_mut_ptr(), row: columns, column: 1 },
                        false,
                    );
                }
                for (channel, col) in channels.clone().zip(col.chunks_exact(taps * columns)) {
                    for (place, image) in images.clone().enumerate() {
                        // SAFETY: this task's own channel of the image.
                        let dx = unsafe { target.slice((image * s.input.0 + channel) * area, area) };
                        s.fold_add(col, 1, 0..s.output.1, (columns, place * out_area), dx);
                    }
                }
            });
        });
    }
}

/// As [`super::convolution::backward_weight`].
pub(crate) fn backward_weight<T: Element>(s: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    let (blocks, depth) = blocks(s);
    let out_area = s.output.1 * s.output.2;
    for images in blocks {
        let columns = images.len() * out_area;
        let mut col = zeros::<T>(depth * columns);
        unfold(s, x, &images, &mut col);
        let joint = gather(s, dy, &images);
        dw.par_chunks_mut(BAND * depth).zip(joint.par_chunks(BAND * columns)).for_each(|(dw, joint)| {
            // SAFETY: `joint` is rows x columns, `col` transposed columns x depth, `dw` rows x depth and ours.
            unsafe {
                gemm(
                    (dw.len() / depth, columns, depth),
                    Matrix { at: joint.as_ptr(), row: columns, column: 1 },
                    Matrix { at: col.as_ptr(), row: 1, column: columns },
                    Matrix { at: dw.as_mut_ptr(), row: depth, column: 1 },
                    true,
                );
            }
        });
    }
}
