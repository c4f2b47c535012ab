//! Resizing by the shorter side. Draws: none.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::interpolation::Interpolation;
use super::operation::{Context, Operation, out_of_range};
use super::registered::Transforms;
use super::resample::resize_mask;
use super::size::LONGEST_SIDE;
use crate::picture::{Mask, Picture};

/// Resizes so that the shorter side is `size` pixels long and the aspect stays (the longer side rounded down, as
/// torchvision does).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShorterSide {
    /// Length of the shorter side, in pixels.
    #[schemars(range(min = 1, max = 16384))]
    pub size: usize,
    /// How the image is resampled.
    #[serde(default)]
    pub interpolation: Interpolation,
}

/// Returns `shorter-side` as it is registered.
pub(super) fn entry() -> Entry<Transforms> {
    Transforms::entry::<ShorterSide>(
        "shorter-side",
        "Resizes so that the shorter side has a length, keeping the aspect.",
    )
}

impl Operation for ShorterSide {
    fn apply(&self, picture: Picture, mask: Option<Mask>, context: &mut Context<'_>) -> (Picture, Option<Mask>) {
        let (height, width) = self.size_after(picture.height(), picture.width());
        let picture = context.resized(picture, height, width, self.interpolation);
        (picture, mask.map(|mask| resize_mask(mask, height, width)))
    }

    fn size_after(&self, height: usize, width: usize) -> (usize, usize) {
        let longer = |long: usize, short: usize| (self.size * long / short.max(1)).max(1);
        if height <= width { (self.size, longer(width, height)) } else { (longer(height, width), self.size) }
    }

    fn problems(&self) -> Vec<String> {
        out_of_range("size", self.size as f64, 1.0, LONGEST_SIDE as f64).into_iter().collect()
    }

    fn resamples(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn the_aspect_stays() {
        let op = ShorterSide { size: 4, interpolation: Interpolation::Bilinear };
        assert_eq!(op.size_after(8, 11), (4, 5));
        assert_eq!(op.size_after(11, 8), (5, 4));
        assert_eq!(op.size_after(2, 2), (4, 4));
        let (picture, mask) = run(&op, coordinates(11, 8), 0);
        assert_eq!((picture.height(), picture.width()), (4, 5));
        assert_eq!(mask.map(|m| (m.height(), m.width())), Some((4, 5)));
    }
}
