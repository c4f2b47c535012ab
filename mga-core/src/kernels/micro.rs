//! The innermost loop of every matrix product: a small tile of the result, kept in registers.
//!
//! A tile is `rows` x `width` numbers; its operands are packed so that step `k` of the sum reads `rows` and `width`
//! adjacent numbers. The shape fills the registers of the instruction set: 12 x 32 `f32` are 24 of AVX-512's 32 vectors.
//! Where the processor has fused multiply-add it is used, so products differ in their last bits between processors.

use super::dispatch::Level;
use crate::element::Element;

/// `c (+)= a b` for one tile: depth, packed `a` and `b`, `c` and the distance of its lines, whether to add.
type Run<T> = unsafe fn(usize, &[T], &[T], *mut T, usize, bool);

/// The tile of one number type on this processor.
#[derive(Clone, Copy)]
pub(crate) struct Micro<T> {
    /// Rows of a tile.
    pub(crate) rows: usize,
    /// Columns of a tile.
    pub(crate) width: usize,
    run: Run<T>,
}

impl<T: Element> Micro<T> {
    /// `c (+)= a b`; `a` is `[depth, rows]`, `b` `[depth, width]`, and `c`'s lines are `line` numbers apart.
    ///
    /// # Safety
    /// `c` has `rows` lines of `width` numbers that nothing else touches meanwhile.
    #[inline]
    pub(crate) unsafe fn multiply(&self, depth: usize, a: &[T], b: &[T], c: *mut T, line: usize, add: bool) {
        let (a, b) = (&a[..depth * self.rows], &b[..depth * self.width]);
        // SAFETY: the caller's promise; the constructor checked the processor's features.
        unsafe { (self.run)(depth, a, b, c, line, add) }
    }
}

/// A number type with tiles.
pub(crate) trait Tiled: Sized {
    /// The tile for the processor at hand.
    fn micro() -> Micro<Self>;
}

/// # Safety
/// As [`Micro::multiply`].
#[inline(always)]
unsafe fn tile<T: Element, const ROWS: usize, const WIDTH: usize, const FUSED: bool>(
    depth: usize,
    a: &[T],
    b: &[T],
    c: *mut T,
    line: usize,
    add: bool,
) {
    let mut sums = [[T::of(0.0); WIDTH]; ROWS];
    let (a, _) = a[..depth * ROWS].as_chunks::<ROWS>();
    let (b, _) = b[..depth * WIDTH].as_chunks::<WIDTH>();
    for (a, b) in a.iter().zip(b) {
        for row in 0..ROWS {
            for column in 0..WIDTH {
                let sum = sums[row][column];
                sums[row][column] = if FUSED { a[row].mul_add(b[column], sum) } else { a[row] * b[column] + sum };
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        // SAFETY: the caller's promise.
        let c = unsafe { std::slice::from_raw_parts_mut(c.add(row * line), WIDTH) };
        for column in 0..WIDTH {
            c[column] = if add { c[column] + sums[column] } else { sums[column] };
        }
    }
}

macro_rules! tiles {
    ($type:ty, $avx512:literal, $avx2:literal, $portable:literal) => {
        impl Tiled for $type {
            fn micro() -> Micro<Self> {
                #[cfg(target_arch = "x86_64")]
                {
                    #[target_feature(enable = "avx2,bmi2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
                    unsafe fn avx512(d: usize, a: &[$type], b: &[$type], c: *mut $type, line: usize, add: bool) {
                        // SAFETY: the caller's promise.
                        unsafe { tile::<$type, 12, $avx512, true>(d, a, b, c, line, add) }
                    }
                    #[target_feature(enable = "avx2,bmi2,fma")]
                    unsafe fn avx2(d: usize, a: &[$type], b: &[$type], c: *mut $type, line: usize, add: bool) {
                        // SAFETY: the caller's promise.
                        unsafe { tile::<$type, 6, $avx2, true>(d, a, b, c, line, add) }
                    }
                    match Level::best() {
                        Level::Avx512 => return Micro { rows: 12, width: $avx512, run: avx512 },
                        Level::Avx2 => return Micro { rows: 6, width: $avx2, run: avx2 },
                        Level::Portable => {}
                    }
                }
                // NEON, which every aarch64 has, fuses; elsewhere a fused product would be a call.
                const FUSED: bool = cfg!(target_arch = "aarch64");
                Micro { rows: 4, width: $portable, run: tile::<$type, 4, $portable, FUSED> }
            }
        }
    };
}
tiles!(f32, 32, 16, 8);
tiles!(f64, 16, 8, 4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_is_the_plain_sum() {
        fn check<T: Element + Tiled>() {
            // Small whole numbers: every sum is exact, fused or not, in any order.
            let number = |i: usize| T::of(((i * 7 + 3) % 11) as f64 - 5.0);
            crate::kernels::dispatch::same_at_every_level(|| {
                let micro = T::micro();
                let (depth, line) = (9, micro.width + 3);
                let a: Vec<T> = (0..depth * micro.rows).map(number).collect();
                let b: Vec<T> = (0..depth * micro.width).map(|i| number(i + 5)).collect();
                for add in [false, true] {
                    let mut c = vec![T::of(2.0); micro.rows * line];
                    // SAFETY: `c` has the tile's lines.
                    unsafe { micro.multiply(depth, &a, &b, c.as_mut_ptr(), line, add) };
                    for row in 0..micro.rows {
                        for column in 0..line {
                            let sum: T = (0..depth)
                                .map(|k| a[k * micro.rows + row] * b[k * micro.width + column.min(micro.width - 1)])
                                .sum();
                            let start = T::of(if add || column >= micro.width { 2.0 } else { 0.0 });
                            let sum = if column < micro.width { sum + start } else { start };
                            assert!(c[row * line + column] == sum, "{row} {column}");
                        }
                    }
                }
            });
        }
        check::<f32>();
        check::<f64>();
    }
}
