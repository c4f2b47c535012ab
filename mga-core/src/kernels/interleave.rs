//! Turns rows into columns while packing: adjacent numbers of some rows become `[step, rows]`.

use crate::element::Element;

/// Steps and rows turned at a time.
const SIDE: usize = 16;

/// `out[k * width + row] = row(row)[k]` for `k` below `steps` and `row` below `rows`; `width` is at most 16 or a multiple
/// of it. What stands in columns from `rows` on does not matter, nor the 16 numbers behind. To be called vectorised.
#[inline(always)]
pub(crate) fn interleave<'a, T: Element>(
    row: impl Fn(usize) -> &'a [T],
    rows: usize,
    steps: usize,
    width: usize,
    out: &mut [T],
) {
    for first in (0..rows).step_by(SIDE) {
        let count = SIDE.min(rows - first);
        let mut k = 0;
        while k + SIDE <= steps {
            let mut block = [[T::of(0.0); SIDE]; SIDE];
            for (index, line) in block.iter_mut().enumerate().take(count) {
                if let Some(source) = row(first + index)[k..].first_chunk::<SIDE>() {
                    *line = *source;
                }
            }
            transpose(&mut block);
            for (step, line) in block.iter().enumerate() {
                let at = (k + step) * width + first;
                // A whole vector where there is room: what it overwrites of the next line is written after it.
                match out[at..].first_chunk_mut::<SIDE>() {
                    Some(out) => *out = *line,
                    None => out[at..at + count].copy_from_slice(&line[..count]),
                }
            }
            k += SIDE;
        }
        for index in 0..count {
            let row = row(first + index);
            for k in k..steps {
                out[k * width + first + index] = row[k];
            }
        }
    }
}

/// In place, by swapping ever smaller quarters: shuffles of whole vectors.
#[inline(always)]
fn transpose<T: Copy>(block: &mut [[T; SIDE]; SIDE]) {
    transpose_step::<T, 8>(block);
    transpose_step::<T, 4>(block);
    transpose_step::<T, 2>(block);
    transpose_step::<T, 1>(block);
}

#[inline(always)]
fn transpose_step<T: Copy, const HALF: usize>(block: &mut [[T; SIDE]; SIDE]) {
    for top in 0..SIDE {
        if top & HALF != 0 {
            continue;
        }
        let (a, b) = (block[top], block[top | HALF]);
        for column in 0..SIDE {
            if column & HALF == 0 {
                block[top | HALF][column] = a[column | HALF];
            } else {
                block[top][column] = b[column ^ HALF];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        for (rows, steps, width) in [(12, 40, 12), (32, 33, 32), (5, 16, 32), (1, 3, 6), (20, 50, 32), (16, 31, 16)] {
            let source: Vec<Vec<f32>> = (0..rows).map(|r| (0..steps).map(|k| (r * 100 + k) as f32).collect()).collect();
            let mut out = vec![-1.0; steps * width + SIDE];
            interleave(|row| &source[row], rows, steps, width, &mut out);
            for k in 0..steps {
                for (row, source) in source.iter().enumerate() {
                    assert_eq!(out[k * width + row], source[k], "{rows} {steps} {width}: {row} {k}");
                }
            }
        }
    }
}
