//! Turns rows into columns while packing: adjacent numbers of some rows become `[step, rows]`.

use super::tile::{Micro, SIDE};
use crate::element::Element;

/// `out[k * width + row] = row(row)[k]` for `k` below `steps` and `row` below `rows`. What stands in columns from `rows`
/// on does not matter, nor do 16 numbers behind `steps * width`, which may be overwritten. To be called vectorised.
#[inline(always)]
pub(crate) fn interleave<'a, T: Element>(
    micro: &Micro<T>,
    row: impl Fn(usize) -> &'a [T],
    rows: usize,
    steps: usize,
    width: usize,
    out: &mut [T],
) {
    for first in (0..rows).step_by(SIDE) {
        let count = SIDE.min(rows - first);
        let lines: [&[T]; SIDE] = std::array::from_fn(|index| row(first + index.min(count - 1)));
        // A whole square also writes what is behind the row's columns: of this line, or of the next one, which is
        // written after it as long as one square is all there is to a line.
        let whole = first + SIDE <= width || width <= SIDE;
        let mut k = 0;
        while whole && k + SIDE <= steps && micro.turn(&lines, k, &mut out[k * width + first..], width) {
            k += SIDE;
        }
        for k in k..steps {
            for (out, line) in out[k * width + first..].iter_mut().zip(&lines[..count]) {
                *out = line[k];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tile::Tiled;

    #[test]
    fn rows_become_columns() {
        crate::kernels::dispatch::same_at_every_level(|| {
            for (rows, steps, width) in [(8, 40, 8), (48, 33, 48), (5, 16, 48), (1, 3, 4), (20, 50, 48), (16, 31, 24)] {
                let source: Vec<Vec<f32>> =
                    (0..rows).map(|r| (0..steps).map(|k| (r * 100 + k) as f32).collect()).collect();
                let mut out = vec![-1.0; steps * width + SIDE];
                interleave(&f32::micro(), |row| &source[row], rows, steps, width, &mut out);
                for k in 0..steps {
                    for (row, source) in source.iter().enumerate() {
                        assert_eq!(out[k * width + row], source[k], "{rows} {steps} {width}: {row} {k}");
                    }
                }
            }
        });
    }
}
