//! Planes laid out so that a kernel's taps become constant shifts of one long row.
//!
//! A band of a plane is copied into a small buffer with its border, and, where the step is 2 or more, with its rows and
//! columns sorted by their remainder: `[stride (rows), stride (columns), rows, pitch]`. What tap `(ky, kx)` sees of output
//! `(m, i)` then lies at `m * pitch + i + offset(ky, kx)`, for every tap, stride and dilation, and a kernel runs over the
//! flattened band in whole vectors, whatever the width: 7 x 7 planes fill vectors too, and no border needs a case of its
//! own. What it computes in the `pitch - width` columns between rows is never read.

use crate::element::Element;

/// Numbers worked on at once: a whole number of vectors of every instruction set.
pub(super) const LANES: usize = 16;

/// Numbers of a band's buffers, about: they stay in a core's first-level cache.
pub(super) const BAND: usize = 4096;

/// How a plane is laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Padded {
    /// Step of the taps from one output to the next.
    pub(super) stride: usize,
    /// Rows and columns of border before the plane; negative: rows and columns left out.
    pub(super) before: (isize, isize),
    /// Height and width of the plane.
    pub(super) plane: (usize, usize),
    /// Rows of the buffer, of each remainder.
    pub(super) rows: usize,
    /// Columns of the buffer, of each remainder.
    pub(super) pitch: usize,
}

impl Padded {
    /// Numbers of the buffer: the last tap of the last output, rounded up to whole vectors, and what a copy spills.
    pub(super) fn count(&self) -> usize {
        self.stride * self.stride * self.rows * self.pitch + self.pitch + 2 * LANES
    }

    /// Where the tap `(y, x)` rows and columns (dilated) behind the first lies.
    pub(super) fn offset(&self, y: usize, x: usize) -> usize {
        let s = self.stride;
        ((y % s * s + x % s) * self.rows + y / s) * self.pitch + x / s
    }

    /// Fills the buffer from `plane` so that its first row is what output row `first` sees.
    #[inline(always)]
    pub(super) fn fill<T: Element>(&self, plane: &[T], first: usize, border: T, buffer: &mut [T]) {
        let s = self.stride;
        let (height, width) = self.plane;
        let mut at = 0;
        for phase in 0..s * s {
            let (a, b) = ((phase / s) as isize, (phase % s) as isize);
            // Columns of the buffer that lie in the plane, and the column of the plane that the first of them is.
            let column = |i: isize| (i * s as isize + b - self.before.1, i);
            let lo = (self.before.1 - b).max(0).cast_unsigned().div_ceil(s).min(self.pitch);
            let hi = (width as isize + self.before.1 - b).max(0).cast_unsigned().div_ceil(s).clamp(lo, self.pitch);
            let start = column(lo as isize).0.max(0).cast_unsigned();
            for m in first..first + self.rows {
                let y = (m * s) as isize + a - self.before.0;
                if y < 0 || y >= height as isize || lo == hi {
                    put(buffer, at, self.pitch, border);
                } else {
                    put(buffer, at, lo, border);
                    let source = &plane[y.cast_unsigned() * width + start..];
                    if s == 1 {
                        copy(source, buffer, at + lo, hi - lo);
                    } else {
                        copy_every(s, source, buffer, at + lo, hi - lo);
                    }
                    put(buffer, at + hi, self.pitch - hi, border);
                }
                at += self.pitch;
            }
        }
        put(buffer, at, buffer.len() - at - LANES, border);
    }
}

/// Writes `count` numbers from `at` on, and what is left of the last vector: what follows is written later.
#[inline(always)]
fn put<T: Element>(buffer: &mut [T], at: usize, count: usize, value: T) {
    for k in (0..count).step_by(LANES) {
        if let Some(lanes) = buffer[at + k..].first_chunk_mut::<LANES>() {
            *lanes = [value; LANES];
        }
    }
}

/// Copies `count` numbers to `target[at..]`. May overwrite up to a vector of what follows, which is to be written later.
#[inline(always)]
pub(super) fn copy<T: Copy>(source: &[T], target: &mut [T], at: usize, count: usize) {
    let target = &mut target[at..];
    for k in (0..count).step_by(LANES) {
        match (source[k..].first_chunk::<LANES>(), target[k..].first_chunk_mut::<LANES>()) {
            (Some(source), Some(target)) => *target = *source,
            _ => target[k..count].iter_mut().zip(&source[k..]).for_each(|(t, &v)| *t = v),
        }
    }
}

/// As [`copy`], of every `step`-th number.
#[inline(always)]
fn copy_every<T: Copy>(step: usize, source: &[T], target: &mut [T], at: usize, count: usize) {
    let target = &mut target[at..];
    for k in (0..count).step_by(LANES) {
        match (source[k * step..].first_chunk::<{ 2 * LANES }>(), target[k..].first_chunk_mut::<LANES>()) {
            (Some(source), Some(target)) if step == 2 => *target = std::array::from_fn(|lane| source[2 * lane]),
            _ => {
                let last = (k + LANES).min(count);
                let source = source[k * step..].iter().step_by(step);
                target[k..last].iter_mut().zip(source).for_each(|(t, &v)| *t = v);
            }
        }
    }
}

/// Sorts two rows into one, `target[at..][2 i] = even[i]` and `target[at..][2 i + 1] = odd[i]`, `count` numbers in all.
/// Spills as [`copy`].
#[inline(always)]
pub(super) fn interleave<T: Element>(even: &[T], odd: &[T], target: &mut [T], at: usize, count: usize) {
    let target = &mut target[at..];
    for k in (0..count).step_by(2 * LANES) {
        let lanes = (even[k / 2..].first_chunk::<LANES>(), odd[k / 2..].first_chunk::<LANES>());
        match (lanes, target[k..].first_chunk_mut::<{ 2 * LANES }>()) {
            ((Some(even), Some(odd)), Some(target)) => {
                for lane in 0..LANES {
                    target[2 * lane] = even[lane];
                    target[2 * lane + 1] = odd[lane];
                }
            }
            _ => {
                for (i, t) in target[k..count].iter_mut().enumerate() {
                    *t = if i % 2 == 0 { even[(k + i) / 2] } else { odd[(k + i) / 2] };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tap_finds_its_number_or_the_border() {
        for (stride, before, plane) in
            [(1, (1, 1), (5, 7)), (2, (1, 1), (9, 40)), (2, (3, 2), (4, 33)), (3, (0, 2), (7, 50)), (1, (-1, -2), (6, 20))]
        {
            let (taps, dilation) = (3usize, 2usize);
            let reach = (taps - 1) * dilation / stride;
            let side = |size: usize, before: isize| (size as isize + before).cast_unsigned() / stride;
            let (rows, width) = (side(plane.0, before.0), side(plane.1, before.1));
            let padded = Padded { stride, before, plane, rows: rows + reach, pitch: width + reach };
            let numbers: Vec<f32> = (1..=plane.0 * plane.1).map(|v| v as f32).collect();
            let mut buffer = vec![f32::NAN; padded.count()];
            for first in [0, 1, rows - 1] {
                padded.fill(&numbers, first, -1.0, &mut buffer);
                for (ky, kx) in (0..taps * taps).map(|tap| (tap / taps * dilation, tap % taps * dilation)) {
                    for (m, i) in (0..rows * width).map(|p| (p / width, p % width)) {
                        let y = ((first + m) * stride + ky) as isize - before.0;
                        let x = (i * stride + kx) as isize - before.1;
                        let inside = y >= 0 && x >= 0 && y < plane.0 as isize && x < plane.1 as isize;
                        let expected = if inside { (y * plane.1 as isize + x + 1) as f32 } else { -1.0 };
                        let found = buffer[m * padded.pitch + i + padded.offset(ky, kx)];
                        assert_eq!(found, expected, "{padded:?} first {first}, tap {ky} {kx}, output {m} {i}");
                    }
                }
            }
        }
    }

    #[test]
    fn rows_are_copied_and_interleaved_whole() {
        for count in [1usize, 7, 16, 31, 32, 33, 65] {
            let numbers: Vec<f32> = (0..count).map(|v| v as f32).collect();
            let (even, odd): (Vec<f32>, Vec<f32>) = (
                numbers.iter().copied().step_by(2).collect(),
                numbers.iter().copied().skip(1).step_by(2).chain([0.0]).collect(),
            );
            // With room to spill, and without.
            for room in [count + 1, count + 100] {
                let mut target = vec![-1.0; room];
                interleave(&even, &odd, &mut target, 1, count);
                assert_eq!(target[1..=count], numbers[..]);
                let mut target = vec![-1.0; room];
                copy(&numbers, &mut target, 1, count);
                assert_eq!(target[1..=count], numbers[..]);
            }
        }
    }
}
