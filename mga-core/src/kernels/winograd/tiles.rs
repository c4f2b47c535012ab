//! The output of a convolution in tiles of 2 x 2: image by image, row by row.

use std::ops::Range;

use super::super::shape::ConvShape;

/// Numbers of a transformed tile.
pub(super) const PLACES: usize = 16;
/// The most tiles that are transformed side by side, and what is computed beyond their number so that loops are whole
/// vectors.
pub(super) const MOST: usize = 48;
pub(super) const LANES: usize = 8;

/// How many tiles there are. The last of a row and the last row may reach beyond an odd output.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    images: usize,
    down: usize,
    across: usize,
}

/// Tiles side by side in one row of one image.
pub(super) struct Run {
    /// Where they begin among the tiles asked for.
    pub(super) to: usize,
    pub(super) image: usize,
    /// The row of tiles, and the first tile in it.
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) count: usize,
}

impl Tiles {
    pub(super) fn of(s: &ConvShape) -> Self {
        Self { images: s.n, down: s.output.1.div_ceil(2), across: s.output.2.div_ceil(2) }
    }

    pub(super) fn count(&self) -> usize {
        self.images * self.down * self.across
    }

    /// The tiles of a range, cut at the rows.
    pub(super) fn runs(&self, range: Range<usize>) -> Vec<Run> {
        let mut runs = vec![];
        let mut at = range.start;
        while at < range.end {
            let (row, column) = (at / self.across, at % self.across);
            let count = (self.across - column).min(range.end - at);
            runs.push(Run { to: at - range.start, image: row / self.down, row: row % self.down, column, count });
            at += count;
        }
        runs
    }
}
