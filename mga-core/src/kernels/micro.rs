//! The innermost loop of every matrix product: a small tile of the result, kept in registers.
//!
//! The shape of a tile fills the registers of the instruction set: 8 x 48 `f32` are 24 of AVX-512's 32 vectors,
//! 6 x 16 are 12 of AVX2's 16 (with 4 x 24, which would fill them, the compiler keeps one sum in memory).
//! Where the processor has fused multiply-add it is used, so products differ in their last bits between processors.

#[cfg(target_arch = "x86_64")]
use super::dispatch::Level;
use super::tile::{Micro, Tiled};
use crate::element::Element;

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
    ($type:ty, $portable:literal, $wide:ident, $narrow:ident) => {
        impl Tiled for $type {
            fn micro() -> Micro<Self> {
                #[cfg(target_arch = "x86_64")]
                match Level::best() {
                    Level::Avx512 => return x86::$wide(),
                    Level::Avx2 => return x86::$narrow(),
                    Level::Portable => {}
                }
                // NEON, which every aarch64 has, fuses; elsewhere a fused product would be a call.
                const FUSED: bool = cfg!(target_arch = "aarch64");
                Micro { rows: 4, width: $portable, run: tile::<$type, 4, $portable, FUSED>, turn: None }
            }
        }
    };
}
tiles!(f32, 8, f32_avx512, f32_avx2);
tiles!(f64, 8, f64_avx512, f64_avx2);

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! Written with the processor's instructions: what the compiler makes of the plain loop changes with its shape, and
    //! mostly is sixty times slower.
    use std::arch::x86_64::*;

    use super::Micro;
    use crate::kernels::tile::SIDE;

    macro_rules! tile {
        ($name:ident, $run:ident, $features:literal, $type:ty, $rows:literal, $vectors:literal, $lanes:literal, $turn:expr,
         $zero:ident, $load:ident, $store:ident, $splat:ident, $fma:ident, $sum:ident) => {
            pub(super) fn $name() -> Micro<$type> {
                /// # Safety
                /// As [`Micro::multiply`]; the processor has the features, and `a` and `b` hold `depth` steps.
                #[target_feature(enable = $features)]
                unsafe fn $run(depth: usize, a: &[$type], b: &[$type], c: *mut $type, line: usize, add: bool) {
                    let mut sums = [[$zero(); $vectors]; $rows];
                    let (mut a, mut b) = (a.as_ptr(), b.as_ptr());
                    for _ in 0..depth {
                        // SAFETY: `a` holds depth * rows numbers and `b` depth * vectors.
                        unsafe {
                            let vectors: [_; $vectors] = std::array::from_fn(|vector| $load(b.add(vector * $lanes)));
                            for row in 0..$rows {
                                let factor = $splat(*a.add(row));
                                for vector in 0..$vectors {
                                    sums[row][vector] = $fma(factor, vectors[vector], sums[row][vector]);
                                }
                            }
                            a = a.add($rows);
                            b = b.add($vectors * $lanes);
                        }
                    }
                    for row in 0..$rows {
                        for vector in 0..$vectors {
                            // SAFETY: the caller's promise.
                            unsafe {
                                let at = c.add(row * line + vector * $lanes);
                                let sum = sums[row][vector];
                                $store(at, if add { $sum($load(at), sum) } else { sum });
                            }
                        }
                    }
                }
                Micro { rows: $rows, width: $vectors * $lanes, run: $run, turn: $turn }
            }
        };
    }
    tile!(
        f32_avx512,
        run,
        "avx512f",
        f32,
        8,
        3,
        16,
        Some(turn),
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps
    );
    tile!(
        f64_avx512,
        run,
        "avx512f",
        f64,
        8,
        3,
        8,
        None,
        _mm512_setzero_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_set1_pd,
        _mm512_fmadd_pd,
        _mm512_add_pd
    );
    tile!(
        f32_avx2,
        run,
        "avx2,fma",
        f32,
        6,
        2,
        8,
        Some(turn_avx2),
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps
    );
    tile!(
        f64_avx2,
        run,
        "avx2,fma",
        f64,
        6,
        2,
        4,
        None,
        _mm256_setzero_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_set1_pd,
        _mm256_fmadd_pd,
        _mm256_add_pd
    );

    /// Sixteen rows of sixteen numbers, turned by shuffles: pairs, quadruples, then quarters of vectors.
    ///
    /// # Safety
    /// The processor has AVX-512; every row has `SIDE` numbers from `at` on, and `out` `SIDE` lines of `SIDE`.
    #[target_feature(enable = "avx512f")]
    unsafe fn turn(rows: &[&[f32]; SIDE], at: usize, out: &mut [f32], width: usize) {
        // SAFETY: the caller's promise.
        let r: [__m512; SIDE] = std::array::from_fn(|i| unsafe { _mm512_loadu_ps(rows[i].as_ptr().add(at)) });
        let mut t = [_mm512_setzero_ps(); SIDE];
        for i in 0..8 {
            t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        let mut u = [_mm512_setzero_pd(); SIDE];
        for i in 0..4 {
            let q = |j: usize| _mm512_castps_pd(t[4 * i + j]);
            u[4 * i] = _mm512_unpacklo_pd(q(0), q(2));
            u[4 * i + 1] = _mm512_unpackhi_pd(q(0), q(2));
            u[4 * i + 2] = _mm512_unpacklo_pd(q(1), q(3));
            u[4 * i + 3] = _mm512_unpackhi_pd(q(1), q(3));
        }
        // u[4 i + j]: in quarter q, numbers 4 q + j of rows 4 i .. 4 i + 4.
        let mut lines = [_mm512_setzero_ps(); SIDE];
        for j in 0..4 {
            let v = |i: usize| _mm512_castpd_ps(u[4 * i + j]);
            let (a, b) = (_mm512_shuffle_f32x4::<0x88>(v(0), v(1)), _mm512_shuffle_f32x4::<0x88>(v(2), v(3)));
            let (c, d) = (_mm512_shuffle_f32x4::<0xdd>(v(0), v(1)), _mm512_shuffle_f32x4::<0xdd>(v(2), v(3)));
            lines[j] = _mm512_shuffle_f32x4::<0x88>(a, b);
            lines[8 + j] = _mm512_shuffle_f32x4::<0xdd>(a, b);
            lines[4 + j] = _mm512_shuffle_f32x4::<0x88>(c, d);
            lines[12 + j] = _mm512_shuffle_f32x4::<0xdd>(c, d);
        }
        // In order: a line may reach into the next.
        for (step, line) in lines.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr().add(step * width), line) };
        }
    }

    /// The same by squares of eight.
    ///
    /// # Safety
    /// The processor has AVX2; every row has `SIDE` numbers from `at` on, and `out` `SIDE` lines of `SIDE`.
    #[target_feature(enable = "avx2")]
    unsafe fn turn_avx2(rows: &[&[f32]; SIDE], at: usize, out: &mut [f32], width: usize) {
        for first in [0, 8] {
            // SAFETY: the caller's promise.
            let (upper, lower) = unsafe {
                (eight(rows, 0, at + first), if width > 8 { Some(eight(rows, 8, at + first)) } else { None })
            };
            for step in 0..8 {
                // SAFETY: the caller's promise.
                unsafe {
                    let line = out.as_mut_ptr().add((first + step) * width);
                    _mm256_storeu_ps(line, upper[step]);
                    if let Some(lower) = lower {
                        _mm256_storeu_ps(line.add(8), lower[step]);
                    }
                }
            }
        }
    }

    /// Eight numbers of eight rows, turned.
    ///
    /// # Safety
    /// The processor has AVX2; the rows have eight numbers from `at` on.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn eight(rows: &[&[f32]; SIDE], first: usize, at: usize) -> [__m256; 8] {
        // SAFETY: the caller's promise.
        let r: [__m256; 8] = std::array::from_fn(|i| unsafe { _mm256_loadu_ps(rows[first + i].as_ptr().add(at)) });
        let low = |i: usize| _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        let high = |i: usize| _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        let pairs = |a: __m256, b: __m256| (_mm256_shuffle_ps::<0x44>(a, b), _mm256_shuffle_ps::<0xee>(a, b));
        // Quadruples of rows 0 to 3 and 4 to 7; each vector holds steps k and k + 4.
        let quads = |i: usize| {
            let ((a, b), (c, d)) = (pairs(low(i), low(i + 1)), pairs(high(i), high(i + 1)));
            [a, b, c, d]
        };
        let (upper, lower) = (quads(0), quads(2));
        std::array::from_fn(|step| {
            let (a, b) = (upper[step % 4], lower[step % 4]);
            if step < 4 { _mm256_permute2f128_ps::<0x20>(a, b) } else { _mm256_permute2f128_ps::<0x31>(a, b) }
        })
    }
}

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
