//! Resizing to a size. Draws: none.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::interpolation::Interpolation;
use super::operation::{Context, Operation};
use super::registered::Transforms;
use super::resample::resize_mask;
use super::size::Size;
use crate::picture::{Mask, Picture};

/// Resizes image and mask to `size`, whatever their aspect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Side of a square, or `[height, width]`, in pixels.
    pub size: Size,
    /// How the image is resampled.
    #[serde(default)]
    pub interpolation: Interpolation,
}

/// Returns `resize` as it is registered.
pub(super) fn entry() -> Entry<Transforms> {
    Transforms::entry::<Resize>("resize", "Resizes to a size, whatever the aspect.")
}

impl Operation for Resize {
    fn apply(&self, picture: Picture, mask: Option<Mask>, context: &mut Context<'_>) -> (Picture, Option<Mask>) {
        let (height, width) = self.size.sides();
        let picture = context.resized(picture, height, width, self.interpolation);
        (picture, mask.map(|mask| resize_mask(mask, height, width)))
    }

    fn size_after(&self, _height: usize, _width: usize) -> (usize, usize) {
        self.size.sides()
    }

    fn fixed_size(&self) -> Option<(usize, usize)> {
        Some(self.size.sides())
    }

    fn problems(&self) -> Vec<String> {
        self.size.problem("size").into_iter().collect()
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
    fn image_and_mask_stay_aligned() {
        let op = Resize { size: Size::Sides([4, 8]), interpolation: Interpolation::Bilinear };
        let (picture, mask) = run(&op, coordinates(4, 2), 0);
        let mask = mask.expect("a mask");
        for (pixel, value) in picture.pixels().chunks_exact(3).zip(mask.values()) {
            let expected = (pixel[0] * 100.0 + pixel[1] * 1000.0) / 1000.0;
            assert!((value - expected).abs() < 1e-5, "{value} {expected}");
        }
    }
}
