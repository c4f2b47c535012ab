//! Batch normalisation fused with the activation behind it. A task owns some channels; sums are taken in `f64` over
//! pieces of 1024 numbers in 16 lanes each, in order, so the result does not depend on the threads.

use rayon::prelude::*;

use super::Shared;
use crate::element::Element;

/// Open interval of `y` in which the gradient passes the activation: all of it, above 0, or between 0 and 6.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Sizes: images, channels, numbers in a plane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planes {
    pub(crate) n: usize,
    pub(crate) c: usize,
    pub(crate) area: usize,
}

impl Planes {
    fn channel<'a, T>(&self, x: &'a [T], channel: usize) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        let (c, area) = (self.c, self.area);
        (0..self.n).map(move |image| &x[(image * c + channel) * area..][..area])
    }
}

/// Adds up `f(a, b)` over two equally long slices: vectorised within pieces, in `f64` between them.
#[inline(always)]
fn sum2<T: Element>(a: &[T], b: &[T], f: impl Fn(T, T) -> (T, T)) -> (f64, f64) {
    let (mut first, mut second) = (0.0, 0.0);
    for (a, b) in a.chunks(1024).zip(b.chunks(1024)) {
        let (mut p, mut q) = ([T::of(0.0); 16], [T::of(0.0); 16]);
        let whole = a.len() / 16 * 16;
        for (a, b) in a[..whole].chunks_exact(16).zip(b[..whole].chunks_exact(16)) {
            for lane in 0..16 {
                let (u, v) = f(a[lane], b[lane]);
                p[lane] += u;
                q[lane] += v;
            }
        }
        for (lane, (&a, &b)) in a[whole..].iter().zip(&b[whole..]).enumerate() {
            let (u, v) = f(a, b);
            p[lane] += u;
            q[lane] += v;
        }
        first += p.iter().map(|v| v.wide()).sum::<f64>();
        second += q.iter().map(|v| v.wide()).sum::<f64>();
    }
    (first, second)
}

/// Mean and biased variance of every channel, in two passes (no cancellation).
pub(crate) fn statistics<T: Element>(planes: Planes, x: &[T]) -> (Vec<f64>, Vec<f64>) {
    let count = (planes.n * planes.area) as f64;
    (0..planes.c)
        .into_par_iter()
        .map(|channel| {
            let total: f64 = planes.channel(x, channel).map(|x| sum2(x, x, |v, _| (v, T::of(0.0))).0).sum();
            let mean = total / count;
            let centre = T::of(mean);
            let sums = planes.channel(x, channel).map(|x| sum2(x, x, |v, _| ((v - centre) * (v - centre), v - centre)));
            let (square, rest) = sums.fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
            // `centre` is the rounded mean: what it misses is known exactly, and corrected.
            let slip = rest / count;
            (mean, (square / count - slip * slip).max(0.0))
        })
        .unzip()
}

/// `y = act(scale[c] * x + shift[c])`.
pub(crate) fn apply<T: Element>(planes: Planes, x: &[T], scale: &[T], shift: &[T], window: Window, y: &mut [T]) {
    let (low, high) = (T::of(window.low), T::of(window.high));
    y.par_chunks_mut(planes.area).zip(x.par_chunks(planes.area)).with_min_len(4).enumerate().for_each(
        |(plane, (y, x))| {
            let (a, b) = (scale[plane % planes.c], shift[plane % planes.c]);
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = clamp(a * x + b, low, high));
        },
    );
}

/// As PyTorch's `relu`, it lets a NaN through: a broken step must be seen, not hidden.
#[inline(always)]
fn clamp<T: Element>(v: T, low: T, high: T) -> T {
    if v < low {
        low
    } else if v > high {
        high
    } else {
        v
    }
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

/// Turns `dy` into `dx` in place (only where `want_input`), and returns the gradients of weight and bias.
pub(crate) fn backward<T: Element>(
    planes: Planes,
    x: &[T],
    dy: &mut [T],
    saved: &Saved<T>,
    want_input: bool,
) -> (Vec<T>, Vec<T>) {
    let (low, high) = (T::of(saved.window.low), T::of(saved.window.high));
    let count = (planes.n * planes.area) as f64;
    let zero = T::of(0.0);
    let target = Shared::new(dy);
    (0..planes.c)
        .into_par_iter()
        .with_min_len(4)
        .map(|channel| {
            let (a, b) = (saved.scale[channel], saved.shift[channel]);
            let (mean, inverse) = (saved.mean[channel], saved.inverse[channel]);
            let pass = |x: T, g: T| {
                let y = a * x + b;
                if y > low && y < high { g } else { zero }
            };
            let plane = |image: usize| (image * planes.c + channel) * planes.area;
            let (mut sum, mut dot) = (0.0, 0.0);
            for image in 0..planes.n {
                let x = &x[plane(image)..][..planes.area];
                // SAFETY: a channel's planes belong to one task.
                let dy = unsafe { target.slice(plane(image), planes.area) };
                let part = sum2(x, dy, |x, g| {
                    let g = pass(x, g);
                    (g, g * (x - mean))
                });
                sum += part.0;
                dot += part.1;
            }
            if want_input {
                let through = if saved.batch_statistics { 1.0 / count } else { 0.0 };
                let k1 = T::of(sum * through);
                let k2 = T::of(dot * through * inverse.wide() * inverse.wide());
                for image in 0..planes.n {
                    let x = &x[plane(image)..][..planes.area];
                    // SAFETY: as above.
                    let dy = unsafe { target.slice(plane(image), planes.area) };
                    dy.iter_mut().zip(x).for_each(|(g, &x)| *g = a * (pass(x, *g) - k1 - (x - mean) * k2));
                }
            }
            (T::of(dot * inverse.wide()), T::of(sum))
        })
        .unzip()
}
