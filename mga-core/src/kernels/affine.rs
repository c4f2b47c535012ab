//! An affine map of every channel with the activation behind it, `act(scale[c] * x + shift[c])`.

use super::dispatch::vectorised;
use crate::element::Element;

/// Open interval of `y` in which the gradient passes the activation: all of it, above 0, or between 0 and 6.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// `act(scale[c] * x + shift[c])`, applied to the input on its way.
pub(crate) struct Affine<'a, T> {
    pub(crate) scale: &'a [T],
    pub(crate) shift: &'a [T],
    pub(crate) window: Window,
}

impl<T> Clone for Affine<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Affine<'_, T> {}

impl<T: Element> Affine<'_, T> {
    /// Writes the changed numbers of a channel to `y`.
    pub(crate) fn apply(&self, channel: usize, x: &[T], y: &mut [T]) {
        vectorised(
            #[inline(always)]
            || rectify(x, (self.scale[channel], self.shift[channel]), self.window, y),
        );
    }
}

/// `y = act(a * x + b)`. To be called vectorised.
#[inline(always)]
pub(super) fn rectify<T: Element>(x: &[T], (a, b): (T, T), window: Window, y: &mut [T]) {
    let (low, high) = (T::of(window.low), T::of(window.high));
    y.iter_mut().zip(x).for_each(
        #[inline(always)]
        |(y, &x)| *y = clamp(a * x + b, low, high),
    );
}

/// As PyTorch's `relu`, it lets a NaN through: a broken step must be seen, not hidden.
#[inline(always)]
pub(super) fn clamp<T: Element>(v: T, low: T, high: T) -> T {
    if v < low {
        low
    } else if v > high {
        high
    } else {
        v
    }
}
