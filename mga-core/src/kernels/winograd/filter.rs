//! The filters, transformed: `U = G g G^T`, packed as the left operands of sixteen products.

use rayon::prelude::*;

use super::super::dispatch::vectorised;
use super::super::tile::Micro;
use super::tiles::PLACES;
use crate::element::Element;

/// Panels of as many rows as a tile of the product has, and in each, place by place, `[depth, tile rows]`.
pub(super) struct Filters<T> {
    pub(super) micro: Micro<T>,
    pub(super) rows: usize,
    pub(super) depth: usize,
    panels: Vec<T>,
}

/// The most rows that a tile of a product has.
const HEIGHT: usize = 8;

impl<T: Element> Filters<T> {
    /// `filter(row, c)` is the 3 x 3 from input channel `c` to output channel `row`.
    pub(super) fn pack(rows: usize, depth: usize, filter: impl Fn(usize, usize) -> [T; 9] + Sync) -> Self {
        let micro = T::micro();
        let height = micro.rows;
        let mut panels = crate::element::zeros::<T>(rows.div_ceil(height) * PLACES * depth * height);
        panels.par_chunks_mut(PLACES * depth * height).enumerate().for_each(|(panel, out)| {
            let first = panel * height;
            let count = height.min(rows - first);
            vectorised(
                #[inline(always)]
                || {
                    let mut g = [[T::of(0.0); HEIGHT]; 9];
                    for c in 0..depth {
                        for row in 0..count {
                            let taps = filter(first + row, c);
                            g.iter_mut().zip(taps).for_each(|(g, tap)| g[row] = tap);
                        }
                        for (place, numbers) in transformed(&g).iter().enumerate() {
                            out[(place * depth + c) * height..][..height].copy_from_slice(&numbers[..height]);
                        }
                    }
                },
            );
        });
        Self { micro, rows, depth, panels }
    }

    /// Panels of rows.
    pub(super) fn row_panels(&self) -> usize {
        self.rows.div_ceil(self.micro.rows)
    }

    /// One panel at one place.
    pub(super) fn panel(&self, panel: usize, place: usize) -> &[T] {
        let size = self.depth * self.micro.rows;
        &self.panels[(panel * PLACES + place) * size..][..size]
    }
}

/// `G g G^T` of some filters side by side, with `G = [1 0 0; .5 .5 .5; .5 -.5 .5; 0 0 1]`.
#[inline(always)]
fn transformed<T: Element>(g: &[[T; HEIGHT]; 9]) -> [[T; HEIGHT]; PLACES] {
    let half = T::of(0.5);
    let mut out = [[T::of(0.0); HEIGHT]; PLACES];
    for lane in 0..HEIGHT {
        let at = |row: usize, column: usize| g[3 * row + column][lane];
        let three = |a: T, b: T, c: T| [a, half * (a + b + c), half * (a - b + c), c];
        let columns: [[T; 4]; 3] = std::array::from_fn(|j| three(at(0, j), at(1, j), at(2, j)));
        for i in 0..4 {
            let row = three(columns[0][i], columns[1][i], columns[2][i]);
            (0..4).for_each(|j| out[4 * i + j][lane] = row[j]);
        }
    }
    out
}
