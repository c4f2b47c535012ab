//! One layer of a dense block, on the block's joint maps: norm, relu, 1 x 1 convolution, norm, relu, 3 x 3 convolution.
//!
//! All maps of a block lie in one buffer `[N, total, H, W]`: a layer reads the channels before it and writes its own
//! behind them, so nothing is ever concatenated. Normalised maps never exist either: a product normalises and rectifies
//! while it packs its operand. On the way back the gradient of the first norm is added to the buffer's gradient block by
//! block, as the product delivers it; what the batch statistics take off again is linear in the map, so it is summed up
//! over the layers per channel ([`Owed`]) and subtracted once.

use std::ops::Range;

use rayon::prelude::*;

use super::Shared;
use super::batch_norm::{Channel, Planes, Saved, Sums, passing};
use super::convolution::by_image;
use super::dispatch::vectorised;
use super::maps::Maps;
use super::product::{Left, groups, product};
use super::shape::ConvShape;
use super::unfold::Unfold;
use crate::element::Element;

/// What is still to be taken off the gradient of each channel of the buffer: `constant + slope * (x - mean)`.
pub(crate) struct Owed {
    constant: Vec<f64>,
    slope: Vec<f64>,
}

impl Owed {
    pub(crate) fn nothing(channels: usize) -> Self {
        Self { constant: vec![0.0; channels], slope: vec![0.0; channels] }
    }

    /// Takes it off `channels` of the gradient; `planes` are those of the buffer.
    pub(crate) fn settle<T: Element>(
        &self,
        planes: Planes,
        channels: Range<usize>,
        x: &[T],
        mean: &[f64],
        gradient: &mut [T],
    ) {
        let target = Shared::new(gradient);
        let first = channels.start;
        (0..planes.n * channels.len()).into_par_iter().with_min_len(planes.tasks()).for_each(|task| {
            let (image, channel) = (task / channels.len(), first + task % channels.len());
            let (constant, slope) = (T::of(self.constant[channel]), T::of(self.slope[channel]));
            let at = (image * planes.of + channel) * planes.area;
            let (x, mean) = (&x[at..at + planes.area], T::of(mean[channel]));
            // SAFETY: this task's own plane.
            let gradient = unsafe { target.slice(at, planes.area) };
            vectorised(
                #[inline(always)]
                || gradient.iter_mut().zip(x).for_each(|(g, &x)| *g -= constant + slope * (x - mean)),
            );
        });
    }
}

/// The way back through `act(norm(x))` and a 1 x 1 convolution: `gradient += `, for the first channels of a buffer.
/// `dz` is the gradient of the convolution's output, `[N, O, H, W]`, and `shape` the convolution's. Returns the gradients
/// of the norm's weight and bias.
pub(crate) fn backward_norm_conv<T: Element>(
    shape: &ConvShape,
    planes: Planes,
    (x, dz, w): (&[T], &[T], &[T]),
    saved: &Saved<T>,
    owed: &mut Owed,
    gradient: &mut [T],
) -> (Vec<T>, Vec<T>) {
    let (c, o, area) = (planes.c, shape.output.0, planes.area);
    let left = Left::pack(c, o, |micro, first, count, out| {
        for (o, line) in out.chunks_exact_mut(micro.rows).enumerate() {
            line[..count].copy_from_slice(&w[o * c + first..][..count]);
        }
    });
    let back = ConvShape { input: shape.output, output: shape.input, ..*shape };
    let right = Unfold { shape: &back, channels: o, x: dz, image: o * area, affine: None };
    let columns = planes.n * area;
    // Sums of each group of columns apart: added up in order afterwards.
    let mut sums = vec![(0.0, 0.0); groups(&left, columns) * c];
    let (target, partial) = (Shared::new(gradient), Shared::new(&mut sums));
    product(&left, &right, columns, |block| {
        let mut passing = passing();
        for (channel, line) in block.lines() {
            let norm = Channel::new(saved, channel);
            let mut sums = Sums::NONE;
            by_image(block.columns.clone(), area, |image, pixel, part| {
                let at = (image * planes.of + channel) * area + pixel;
                let (x, dy) = (&x[at..at + part.len()], &line[part]);
                // SAFETY: blocks do not overlap, and this one is the task's own.
                let gradient = unsafe { target.slice(at, x.len()) };
                vectorised(
                    #[inline(always)]
                    || {
                        norm.add_to(
                            &mut sums,
                            (x, dy),
                            &mut passing,
                            #[inline(always)]
                            |at, passing| {
                                for (gradient, &g) in gradient[at..].iter_mut().zip(passing) {
                                    *gradient += norm.scale * g;
                                }
                            },
                        );
                    },
                );
            });
            // SAFETY: one block has this group of columns and this channel.
            unsafe { *partial.at(block.index * c + channel) = sums.total() };
        }
    });
    let count = columns as f64;
    (0..c)
        .map(|channel| {
            let parts = sums[channel..].iter().step_by(c);
            let (sum, dot) = parts.fold((0.0, 0.0), |total, part| (total.0 + part.0, total.1 + part.1));
            let (scale, inverse) = (saved.scale[channel].wide(), saved.inverse[channel].wide());
            if saved.batch_statistics {
                owed.constant[channel] += scale * sum / count;
                owed.slope[channel] += scale * dot * inverse * inverse / count;
            }
            (T::of(dot * inverse), T::of(sum))
        })
        .unzip()
}

/// The first `planes.c` channels of a buffer as the input of a convolution, normalised on the way.
pub(crate) fn normalised<'a, T: Element>(planes: Planes, x: &'a [T], saved: &'a Saved<T>) -> Maps<'a, T> {
    Maps { numbers: x, image: planes.of * planes.area, affine: Some(saved.affine()) }
}
