//! Batch normalisation fused with the activation behind it.
//!
//! Blocking: a task owns a channel, whose planes over the batch mostly fit a core's second-level cache, so that only the
//! first of its passes (sum, squares, write) comes from memory. Sums are taken in [`LANES`] lanes over pieces of
//! [`PIECE`] numbers, and in `f64` between pieces, in a fixed order.

use rayon::prelude::*;

use super::Shared;
use super::affine::{Affine, Window, clamp, rectify};
use super::dispatch::vectorised;
use crate::element::Element;

/// Sizes: images, channels, numbers in a plane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planes {
    pub(crate) n: usize,
    pub(crate) c: usize,
    pub(crate) area: usize,
    /// Channels from one image to the next: more than `c` where they are part of larger maps.
    pub(crate) of: usize,
}

impl Planes {
    /// Channels or planes a task takes at least, so that small maps do not fall into crumbs.
    pub(super) fn tasks(&self) -> usize {
        (4096 / (self.n * self.area).max(1)).max(1)
    }

    fn channel<'a, T>(&self, x: &'a [T], channel: usize) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        let (c, area) = (self.of, self.area);
        (0..self.n).map(move |image| &x[(image * c + channel) * area..][..area])
    }
}

/// Lanes of a sum: two vectors of the widest processor, so that one addition need not wait for the last.
const LANES: usize = 32;
/// Numbers that are summed in their own type before `f64` takes over.
const PIECE: usize = 1024;

/// Two sums in the making.
pub(super) struct Sums {
    first: [f64; LANES],
    second: [f64; LANES],
}

impl Sums {
    pub(super) const NONE: Self = Self { first: [0.0; LANES], second: [0.0; LANES] };

    /// Adds `f(a, b)` over two equally long slices.
    #[inline(always)]
    pub(super) fn add<T: Element>(&mut self, a: &[T], b: &[T], f: impl Fn(T, T) -> (T, T)) {
        for (a, b) in a.chunks(PIECE).zip(b.chunks(PIECE)) {
            let (mut p, mut q) = ([T::of(0.0); LANES], [T::of(0.0); LANES]);
            let (whole_a, rest_a) = a.as_chunks::<LANES>();
            let (whole_b, rest_b) = b.as_chunks::<LANES>();
            for (a, b) in whole_a.iter().zip(whole_b) {
                for lane in 0..LANES {
                    let (u, v) = f(a[lane], b[lane]);
                    p[lane] += u;
                    q[lane] += v;
                }
            }
            for (lane, (&a, &b)) in rest_a.iter().zip(rest_b).enumerate() {
                let (u, v) = f(a, b);
                p[lane] += u;
                q[lane] += v;
            }
            for lane in 0..LANES {
                self.first[lane] += p[lane].wide();
                self.second[lane] += q[lane].wide();
            }
        }
    }

    pub(super) fn total(&self) -> (f64, f64) {
        (self.first.iter().sum(), self.second.iter().sum())
    }
}

/// Mean and biased variance of a channel, in two passes (no cancellation). To be called vectorised.
#[inline(always)]
fn moments<T: Element>(planes: Planes, x: &[T], channel: usize) -> (f64, f64) {
    let count = (planes.n * planes.area) as f64;
    let mut sums = Sums::NONE;
    for x in planes.channel(x, channel) {
        sums.add(
            x,
            x,
            #[inline(always)]
            |v, _| (v, T::of(0.0)),
        );
    }
    let mean = sums.total().0 / count;
    let centre = T::of(mean);
    let mut sums = Sums::NONE;
    for x in planes.channel(x, channel) {
        sums.add(
            x,
            x,
            #[inline(always)]
            |v, _| ((v - centre) * (v - centre), v - centre),
        );
    }
    let (square, rest) = sums.total();
    // `centre` is the rounded mean: what it misses is known exactly, and corrected.
    let slip = rest / count;
    (mean, (square / count - slip * slip).max(0.0))
}

/// Mean and biased variance of every channel.
pub(crate) fn statistics<T: Element>(planes: Planes, x: &[T]) -> (Vec<f64>, Vec<f64>) {
    (0..planes.c)
        .into_par_iter()
        .with_min_len(planes.tasks())
        .map(|channel| {
            vectorised(
                #[inline(always)]
                || moments(planes, x, channel),
            )
        })
        .unzip()
}

/// The affine map of a normalised channel, `y = act(scale * x + shift)`, for mean and variance.
#[inline(always)]
pub(crate) fn affine((mean, variance): (f64, f64), gamma: f64, beta: f64, eps: f64) -> (f64, f64) {
    let scale = gamma / (variance + eps).sqrt();
    (scale, beta - mean * scale)
}

/// [`statistics`], and `y` normalised by them in the same visit of each channel.
pub(crate) fn normalise<T: Element>(
    planes: Planes,
    x: &[T],
    (gamma, beta, eps): (&[T], &[T], f64),
    window: Window,
    y: &mut [T],
) -> (Vec<f64>, Vec<f64>) {
    let target = Shared::new(y);
    (0..planes.c)
        .into_par_iter()
        .with_min_len(planes.tasks())
        .map(|channel| {
            vectorised(
                #[inline(always)]
                || {
                    let moments = moments(planes, x, channel);
                    let (a, b) = affine(moments, gamma[channel].wide(), beta[channel].wide(), eps);
                    for (image, x) in planes.channel(x, channel).enumerate() {
                        // SAFETY: a channel's planes belong to one task.
                        let y = unsafe { target.slice((image * planes.c + channel) * planes.area, planes.area) };
                        rectify(x, (T::of(a), T::of(b)), window, y);
                    }
                    moments
                },
            )
        })
        .unzip()
}

/// `y = act(scale[c] * x + shift[c])`.
pub(crate) fn apply<T: Element>(planes: Planes, x: &[T], scale: &[T], shift: &[T], window: Window, y: &mut [T]) {
    let target = y.par_chunks_mut(planes.area).zip(x.par_chunks(planes.area));
    target.with_min_len(planes.tasks()).enumerate().for_each(|(plane, (y, x))| {
        let affine = (scale[plane % planes.c], shift[plane % planes.c]);
        vectorised(
            #[inline(always)]
            || rectify(x, affine, window, y),
        );
    });
}

/// [`apply`] on the maps themselves.
pub(crate) fn apply_in_place<T: Element>(planes: Planes, affine: Affine<'_, T>, y: &mut [T]) {
    let (low, high) = (T::of(affine.window.low), T::of(affine.window.high));
    y.par_chunks_mut(planes.area).with_min_len(planes.tasks()).enumerate().for_each(|(plane, y)| {
        let (a, b) = (affine.scale[plane % planes.c], affine.shift[plane % planes.c]);
        vectorised(
            #[inline(always)]
            || y.iter_mut().for_each(|y| *y = clamp(a * *y + b, low, high)),
        );
    });
}

/// The way back through an activation, told by its output `y`: stops what does not pass, in place, and returns the sum of
/// what does per channel.
pub(crate) fn backward_bias<T: Element>(planes: Planes, y: &[T], dy: &mut [T], window: Window) -> Vec<T> {
    let (low, high) = (T::of(window.low), T::of(window.high));
    let target = Shared::new(dy);
    (0..planes.c)
        .into_par_iter()
        .with_min_len(planes.tasks())
        .map(|channel| {
            vectorised(
                #[inline(always)]
                || {
                    let mut sums = Sums::NONE;
                    for (image, y) in planes.channel(y, channel).enumerate() {
                        // SAFETY: a channel's planes belong to one task.
                        let dy = unsafe { target.slice((image * planes.of + channel) * planes.area, planes.area) };
                        for (g, &y) in dy.iter_mut().zip(y) {
                            *g = if (y > low) & (y < high) { *g } else { T::of(0.0) };
                        }
                        sums.add(
                            dy,
                            dy,
                            #[inline(always)]
                            |g, _| (g, T::of(0.0)),
                        );
                    }
                    T::of(sums.total().0)
                },
            )
        })
        .collect()
}

/// What the backward pass needs of the forward pass, per channel.
pub(crate) struct Saved<T> {
    pub(crate) mean: Vec<T>,
    /// 1 / sqrt(var + eps).
    pub(crate) inverse: Vec<T>,
    pub(crate) scale: Vec<T>,
    pub(crate) shift: Vec<T>,
    pub(crate) window: Window,
    /// Whether mean and variance were the batch's own, so that the gradient flows through them.
    pub(crate) batch_statistics: bool,
}

impl<T: Element> Saved<T> {
    /// Of mean and variance, and of weight, bias and eps.
    pub(crate) fn new(
        (mean, variance): (&[f64], &[f64]),
        (gamma, beta, eps): (&[T], &[T], f64),
        window: Window,
        batch_statistics: bool,
    ) -> Self {
        let moments = mean.iter().copied().zip(variance.iter().copied());
        let (scale, shift) = moments
            .zip(gamma.iter().zip(beta))
            .map(|(moments, (gamma, beta))| affine(moments, gamma.wide(), beta.wide(), eps))
            .map(|(scale, shift)| (T::of(scale), T::of(shift)))
            .unzip();
        Self {
            mean: mean.iter().map(|&v| T::of(v)).collect(),
            inverse: variance.iter().map(|v| T::of(1.0 / (v + eps).sqrt())).collect(),
            scale,
            shift,
            window,
            batch_statistics,
        }
    }

    /// Normalisation and activation as a map of single numbers.
    pub(crate) fn affine(&self) -> Affine<'_, T> {
        Affine { scale: &self.scale, shift: &self.shift, window: self.window }
    }
}

/// Turns `dy` into `dx` in place (only where `want_input`), and returns the gradients of weight and bias.
pub(crate) fn backward<T: Element>(
    planes: Planes,
    x: &[T],
    dy: &mut [T],
    saved: &Saved<T>,
    want_input: bool,
) -> (Vec<T>, Vec<T>) {
    let target = Shared::new(dy);
    (0..planes.c)
        .into_par_iter()
        .with_min_len(planes.tasks())
        .map(|channel| {
            // SAFETY: a channel's planes belong to one task.
            let plane = |image: usize| unsafe { target.slice((image * planes.c + channel) * planes.area, planes.area) };
            vectorised(
                #[inline(always)]
                || {
                    let channel = Channel::new(saved, channel);
                    let pairs = |(image, x)| (x, &*plane(image));
                    let (sum, dot) = channel.sums(planes.channel(x, channel.index).enumerate().map(pairs));
                    if want_input {
                        let count = (planes.n * planes.area) as f64;
                        let through = if saved.batch_statistics { 1.0 / count } else { 0.0 };
                        let k1 = T::of(sum * through);
                        let k2 = T::of(dot * through * channel.inverse.wide() * channel.inverse.wide());
                        for (image, x) in planes.channel(x, channel.index).enumerate() {
                            for (g, &x) in plane(image).iter_mut().zip(x) {
                                *g = channel.scale * (channel.pass(x, *g) - k1 - (x - channel.mean) * k2);
                            }
                        }
                    }
                    (T::of(dot * channel.inverse.wide()), T::of(sum))
                },
            )
        })
        .unzip()
}

/// Where the gradients that pass an activation are written down: with the activation's bounds and the lanes of the sums at
/// once, AVX2 runs out of registers.
pub(super) type Passing<T> = [T; PIECE];

/// An empty [`Passing`], to be kept over many calls.
#[inline(always)]
pub(super) fn passing<T: Element>() -> Passing<T> {
    [T::of(0.0); PIECE]
}

/// One channel of [`Saved`].
#[derive(Clone, Copy)]
pub(super) struct Channel<T> {
    index: usize,
    pub(super) mean: T,
    pub(super) inverse: T,
    pub(super) scale: T,
    shift: T,
    low: T,
    high: T,
}

impl<T: Element> Channel<T> {
    #[inline(always)]
    pub(super) fn new(saved: &Saved<T>, index: usize) -> Self {
        Self {
            index,
            mean: saved.mean[index],
            inverse: saved.inverse[index],
            scale: saved.scale[index],
            shift: saved.shift[index],
            low: T::of(saved.window.low),
            high: T::of(saved.window.high),
        }
    }

    /// What of the gradient `g` passes the activation at input `x`.
    #[inline(always)]
    pub(super) fn pass(self, x: T, g: T) -> T {
        let y = self.scale * x + self.shift;
        // Both bounds looked at, whatever the first says: a choice, where `&&` is a branch that no processor foresees.
        if (y > self.low) & (y < self.high) { g } else { T::of(0.0) }
    }

    /// Adds the passing gradients, and those times the centred input, to `sums`; `with(index, g)` sees each that passes.
    #[inline(always)]
    pub(super) fn add_to(
        self,
        sums: &mut Sums,
        (x, dy): (&[T], &[T]),
        passing: &mut Passing<T>,
        mut with: impl FnMut(usize, &[T]),
    ) {
        for (index, (x, dy)) in x.chunks(PIECE).zip(dy.chunks(PIECE)).enumerate() {
            let passing = &mut passing[..x.len()];
            for ((out, &x), &g) in passing.iter_mut().zip(x).zip(dy) {
                *out = self.pass(x, g);
            }
            sums.add(
                x,
                passing,
                #[inline(always)]
                |x, g| (g, g * (x - self.mean)),
            );
            with(index * PIECE, passing);
        }
    }

    /// Sum of the passing gradients, and of those times the centred input.
    #[inline(always)]
    fn sums<'a>(self, pairs: impl Iterator<Item = (&'a [T], &'a [T])>) -> (f64, f64) {
        let (mut sums, mut passing) = (Sums::NONE, passing());
        for pair in pairs {
            self.add_to(
                &mut sums,
                pair,
                &mut passing,
                #[inline(always)]
                |_, _| (),
            );
        }
        sums.total()
    }
}
