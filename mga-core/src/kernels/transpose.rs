//! Transposes many small matrices.

use rayon::prelude::*;

/// Side of the squares that are transposed one after the other, so that both sides stay in the nearest cache.
const SQUARE: usize = 16;

/// Writes each matrix `[rows, columns]` of `x` as `[columns, rows]` into `y`. Nothing is computed.
pub(crate) fn transpose<T: Copy + Send + Sync>(x: &[T], y: &mut [T], (rows, columns): (usize, usize)) {
    let size = rows * columns;
    if size == 0 {
        return;
    }
    y.par_chunks_exact_mut(size).zip(x.par_chunks_exact(size)).for_each(|(y, x)| {
        for top in (0..rows).step_by(SQUARE) {
            for left in (0..columns).step_by(SQUARE) {
                for column in left..(left + SQUARE).min(columns) {
                    let to = &mut y[column * rows + top..column * rows + (top + SQUARE).min(rows)];
                    for (row, to) in to.iter_mut().enumerate() {
                        *to = x[(top + row) * columns + column];
                    }
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_changes_its_place() {
        for (rows, columns) in [(1, 1), (1, 40), (40, 1), (16, 16), (17, 33), (3, 5), (0, 4)] {
            let x: Vec<usize> = (0..3 * rows * columns).collect();
            let mut y = vec![usize::MAX; x.len()];
            transpose(&x, &mut y, (rows, columns));
            for (at, value) in x.iter().enumerate() {
                let (matrix, at) = (at / (rows * columns), at % (rows * columns));
                assert_eq!(y[matrix * rows * columns + at % columns * rows + at / columns], *value);
            }
        }
    }
}
