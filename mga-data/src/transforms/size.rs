//! A target size in settings: one number for a square, or `[height, width]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sides beyond this are taken for a slip: one such f32 picture would need gigabytes.
pub(super) const LONGEST_SIDE: usize = 16_384;

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a side in pixels, or [height, width]")]
pub enum Size {
    /// Both sides.
    Square(#[schemars(range(min = 1, max = 16384))] usize),
    /// Height and width.
    Sides(#[schemars(inner(range(min = 1, max = 16384)))] [usize; 2]),
}

impl Size {
    /// Returns `(height, width)`.
    pub fn sides(self) -> (usize, usize) {
        match self {
            Self::Square(side) => (side, side),
            Self::Sides([height, width]) => (height, width),
        }
    }

    /// A line where a side is zero or absurdly long.
    pub(super) fn problem(self, key: &str) -> Option<String> {
        let (height, width) = self.sides();
        let fits = |side: usize| (1..=LONGEST_SIDE).contains(&side);
        (!(fits(height) && fits(width)))
            .then(|| format!("`{key}` is {height} x {width} (height x width), expected sides of 1 to {LONGEST_SIDE}"))
    }
}
