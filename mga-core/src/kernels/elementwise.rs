//! Passes over equally long slices, cut into pieces that fit a cache, each vectorised for the processor at hand.

use rayon::prelude::*;

use super::dispatch::vectorised;
use crate::element::Element;

/// Numbers a task works on.
const PIECE: usize = 1 << 15;

/// `target += other`.
pub(crate) fn add_assign<T: Element>(target: &mut [T], other: &[T]) {
    update(
        target,
        other,
        #[inline(always)]
        |t, o| *t += o,
    );
}

/// Calls `f` on every pair.
pub(crate) fn update<T: Element>(target: &mut [T], other: &[T], f: impl Fn(&mut T, T) + Sync) {
    target.par_chunks_mut(PIECE).zip(other.par_chunks(PIECE)).for_each(|(target, other)| {
        vectorised(
            #[inline(always)]
            || target.iter_mut().zip(other).for_each(|(t, &o)| f(t, o)),
        );
    });
}

/// `f` of every number.
pub(crate) fn map<T: Element>(x: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
    collect(x.len(), |start, piece| {
        vectorised(
            #[inline(always)]
            || {
                // Slices of this closure's own, of one length: else the compiler fetches them anew for every number.
                let (x, piece) = (&x[start..start + piece.len()], &mut *piece);
                for i in 0..piece.len() {
                    piece[i].write(f(x[i]));
                }
            },
        );
    })
}

/// `f` of every pair of equally many numbers.
pub(crate) fn zip<T: Element>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync) -> Vec<T> {
    let count = a.len().min(b.len());
    let (a, b) = (&a[..count], &b[..count]);
    collect(count, |start, piece| {
        vectorised(
            #[inline(always)]
            || {
                let (a, b) = (&a[start..start + piece.len()], &b[start..start + piece.len()]);
                let piece = &mut *piece;
                for i in 0..piece.len() {
                    piece[i].write(f(a[i], b[i]));
                }
            },
        );
    })
}

/// A vector whose pieces `fill(start, piece)` writes whole. Memory is not cleared first: that would be one more pass.
fn collect<T: Element>(count: usize, fill: impl Fn(usize, &mut [std::mem::MaybeUninit<T>]) + Sync) -> Vec<T> {
    let mut y = Vec::with_capacity(count);
    let pieces = y.spare_capacity_mut()[..count].par_chunks_mut(PIECE).enumerate();
    pieces.for_each(|(i, piece)| fill(i * PIECE, piece));
    // SAFETY: `map` and `zip` write every place of every piece: their inputs hold `count` numbers.
    unsafe { y.set_len(count) };
    y
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::same_at_every_level;
    use super::*;

    #[test]
    fn every_number_is_computed_the_same_at_every_level() {
        // Several pieces, the last one short.
        let count = 2 * PIECE + 77;
        let a: Vec<f32> = (0..count).map(|i| (i % 1013) as f32 * 0.37 - 100.0).collect();
        let b: Vec<f32> = (0..count).map(|i| (i % 997) as f32 * 0.11 - 50.0).collect();
        let mut sums: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
        assert_eq!(same_at_every_level(|| zip(&a, &b, |a, b| a + b)), sums);
        let same = same_at_every_level(|| {
            let mut target = a.clone();
            add_assign(&mut target, &b);
            target
        });
        assert_eq!(same, sums);
        sums.iter_mut().for_each(|v| *v = v.max(0.0) * 0.3);
        assert_eq!(same_at_every_level(|| map(&same, |v| v.max(0.0) * 0.3)), sums);
        assert!(map::<f64>(&[], |v| v).is_empty());
    }
}
