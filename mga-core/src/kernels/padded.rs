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
    /// Numbers from one remainder's rows to the next's: the rows, and what writing them spills.
    fn region(&self) -> usize {
        (self.rows + 1) * self.pitch + 2 * LANES
    }

    /// Numbers of the buffer, also those that the last tap reads of a last, rounded up vector.
    pub(super) fn count(&self) -> usize {
        self.stride * self.stride * self.region() + self.pitch + LANES
    }

    /// Where the tap `(y, x)` rows and columns (dilated) behind the first lies.
    pub(super) fn offset(&self, y: usize, x: usize) -> usize {
        let s = self.stride;
        (y % s * s + x % s) * self.region() + y / s * self.pitch + x / s
    }

    /// Numbers `lo..hi` of `length` whose place `stride * i + phase - before` lies in `0..size`, and that of `lo`.
    fn inside(&self, phase: usize, before: isize, size: usize, length: usize) -> (usize, usize, usize) {
        let (from, s) = (before - phase as isize, self.stride);
        let lo = from.max(0).cast_unsigned().div_ceil(s).min(length);
        let hi = (size as isize + from).max(0).cast_unsigned().div_ceil(s).clamp(lo, length);
        (lo, hi, ((lo * s) as isize - from).max(0).cast_unsigned())
    }

    /// Fills the buffer so that its first row is what output row `first` sees. `source` starts with the plane; what
    /// follows it may be read, and is not used.
    #[inline(always)]
    pub(super) fn fill<T: Element>(&self, source: &[T], first: usize, border: T, buffer: &mut [T]) {
        let (s, width) = (self.stride, self.plane.1);
        let before = self.before.0 - (first * s) as isize;
        for a in 0..s {
            let (top, bottom, y) = self.inside(a, before, self.plane.0, self.rows);
            let regions = &mut buffer[a * s * self.region()..][..s * self.region()];
            let columns = |b: usize| self.inside(b, self.before.1, width, self.pitch);
            for b in 0..s {
                let region = &mut regions[b * self.region()..][..self.region()];
                let lo = columns(b).0;
                // A row is written from its first number in the plane to that of the next row, border included.
                put(region, 0, top * self.pitch + lo, border);
                put(region, bottom * self.pitch + lo, (self.rows - bottom) * self.pitch + LANES, border);
            }
            let even = usize::from(s == 2 && columns(0).2 == 1);
            if s == 2 && columns(even).2 == 0 && columns(1 - even).2 == 1 {
                let (even_at, odd_at) =
                    (even * self.region() + columns(even).0, (1 - even) * self.region() + columns(1 - even).0);
                let counts = (columns(even).1 - columns(even).0, columns(1 - even).1 - columns(1 - even).0);
                for (row, m) in (top..bottom).enumerate() {
                    let source = &source[(y + row * s) * width..];
                    let at = (even_at + m * self.pitch, odd_at + m * self.pitch);
                    split_row(source, counts, regions, at, self.pitch, border);
                }
                continue;
            }
            for b in 0..s {
                let (lo, hi, x) = columns(b);
                let region = &mut regions[b * self.region()..][..self.region()];
                for (row, m) in (top..bottom).enumerate() {
                    let (source, at) = (&source[(y + row * s) * width + x..], m * self.pitch + lo);
                    if s == 1 {
                        write_row(source, hi - lo, region, at, self.pitch, border);
                    } else {
                        let source = source.iter().step_by(s).take(hi - lo).chain(std::iter::repeat(&border));
                        region[at..][..self.pitch].iter_mut().zip(source).for_each(|(t, &v)| *t = v);
                    }
                }
            }
        }
        put(buffer, s * s * self.region(), self.pitch, border);
    }
}

/// The vector at a place.
#[inline(always)]
fn lanes_at<T>(buffer: &mut [T], at: usize) -> &mut [T; LANES] {
    &mut buffer[at..].as_chunks_mut().0[0]
}

/// Writes `count` numbers from `at` on, and what is left of the last vector: what follows is written later.
#[inline(always)]
fn put<T: Element>(buffer: &mut [T], at: usize, count: usize, value: T) {
    for k in 0..count.div_ceil(LANES) {
        *lanes_at(buffer, at + k * LANES) = [value; LANES];
    }
}

/// Writes a row of `pitch` numbers: `count` of the source, then border. Spills as [`copy`].
#[inline(always)]
fn write_row<T: Element>(source: &[T], count: usize, buffer: &mut [T], at: usize, pitch: usize, border: T) {
    let target = &mut buffer[at..];
    for k in (0..pitch.div_ceil(LANES)).map(|k| k * LANES) {
        let lanes = numbers::<T, LANES>(source, k, border);
        *lanes_at(target, k) = std::array::from_fn(|lane| if k + lane < count { lanes[lane] } else { border });
    }
}

/// As [`write_row`], of every second number from the first on and from the second on.
#[inline(always)]
fn split_row<T: Element>(
    source: &[T],
    counts: (usize, usize),
    buffer: &mut [T],
    at: (usize, usize),
    pitch: usize,
    border: T,
) {
    for k in (0..pitch.div_ceil(LANES)).map(|k| k * LANES) {
        let lanes = numbers::<T, { 2 * LANES }>(source, 2 * k, border);
        let pick = |lane, count, which| if k + lane < count { lanes[2 * lane + which] } else { border };
        *lanes_at(buffer, at.0 + k) = std::array::from_fn(|lane| pick(lane, counts.0, 0));
        *lanes_at(buffer, at.1 + k) = std::array::from_fn(|lane| pick(lane, counts.1, 1));
    }
}

/// `N` numbers of the source from `at` on, border behind its end.
#[inline(always)]
fn numbers<T: Element, const N: usize>(source: &[T], at: usize, border: T) -> [T; N] {
    match source.get(at..at + N).and_then(<[T]>::as_array) {
        Some(lanes) => *lanes,
        None => std::array::from_fn(|lane| source.get(at + lane).copied().unwrap_or(border)),
    }
}

/// Copies `count` numbers to `target[at..]`. May overwrite up to a vector of what follows, which is to be written later.
#[inline(always)]
pub(super) fn copy<T: Copy>(source: &[T], target: &mut [T], at: usize, count: usize) {
    let target = &mut target[at..];
    for k in (0..count.div_ceil(LANES)).map(|k| k * LANES) {
        match (source[k..].first_chunk::<LANES>(), target[k..].first_chunk_mut::<LANES>()) {
            (Some(source), Some(target)) => *target = *source,
            _ => target[k..count].iter_mut().zip(&source[k..]).for_each(|(t, &v)| *t = v),
        }
    }
}

/// Sorts two rows into one, `target[at..][2 i] = even[i]` and `target[at..][2 i + 1] = odd[i]`, `count` numbers in all.
/// Spills as [`copy`].
#[inline(always)]
pub(super) fn interleave<T: Element>(even: &[T], odd: &[T], target: &mut [T], at: usize, count: usize) {
    let target = &mut target[at..];
    for k in (0..count.div_ceil(2 * LANES)).map(|k| k * 2 * LANES) {
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
        for (stride, before, plane) in [
            (1, (1, 1), (5, 7)),
            (2, (1, 1), (9, 40)),
            (2, (3, 2), (4, 33)),
            (3, (0, 2), (7, 50)),
            (1, (-1, -2), (6, 20)),
        ] {
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
