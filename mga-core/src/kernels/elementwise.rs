//! Passes over equally long slices, cut into pieces that fit a cache.

use rayon::prelude::*;

use crate::element::Element;

/// Numbers a task works on.
const PIECE: usize = 1 << 15;

/// `target += other`.
pub(crate) fn add_assign<T: Element>(target: &mut [T], other: &[T]) {
    update(target, other, |t, o| *t += o);
}

/// Calls `f` on every pair.
pub(crate) fn update<T: Element>(target: &mut [T], other: &[T], f: impl Fn(&mut T, T) + Sync) {
    target.par_chunks_mut(PIECE).zip(other.par_chunks(PIECE)).for_each(|(target, other)| {
        target.iter_mut().zip(other).for_each(|(t, &o)| f(t, o));
    });
}

/// `f` of every number.
pub(crate) fn map<T: Element>(x: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
    let mut y = crate::element::zeros::<T>(x.len());
    update(&mut y, x, |y, x| *y = f(x));
    y
}

/// `f` of every pair.
pub(crate) fn zip<T: Element>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync) -> Vec<T> {
    let mut y = crate::element::zeros::<T>(a.len());
    y.par_chunks_mut(PIECE).zip(a.par_chunks(PIECE)).zip(b.par_chunks(PIECE)).for_each(|((y, a), b)| {
        y.iter_mut().zip(a.iter().zip(b)).for_each(|(y, (&a, &b))| *y = f(a, b));
    });
    y
}
