//! A random window of fixed size. Draws: top, then left, always both.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operation::{Context, Operation};
use super::registered::Transforms;
use super::size::Size;
use super::window::Window;
use crate::picture::{Mask, Picture};

/// Cuts out a window of `size` at a random place. Where the picture is smaller it is first padded right and bottom with
/// zeros (after normalisation), as the authors of MGA do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomCrop {
    /// Side of a square, or `[height, width]`, in pixels.
    pub size: Size,
}

/// Returns `random-crop` as it is registered.
pub(super) fn entry() -> Entry<Transforms> {
    Transforms::entry::<RandomCrop>(
        "random-crop",
        "Cuts out a random window; pads right and bottom where the picture is smaller.",
    )
}

impl Operation for RandomCrop {
    fn apply(&self, picture: Picture, mask: Option<Mask>, context: &mut Context<'_>) -> (Picture, Option<Mask>) {
        let (height, width) = self.size.sides();
        let top = context.generator.below(picture.height().saturating_sub(height) + 1) as isize;
        let left = context.generator.below(picture.width().saturating_sub(width) + 1) as isize;
        Window { top, left, height, width }.cut(&picture, mask, context.fill)
    }

    fn size_after(&self, _height: usize, _width: usize) -> (usize, usize) {
        self.size.sides()
    }

    fn fixed_size(&self) -> Option<(usize, usize)> {
        Some(self.size.sides())
    }

    fn view(&self, height: usize, width: usize) -> f64 {
        let (h, w) = self.size.sides();
        (h.min(height) * w.min(width)) as f64 / (height * width) as f64
    }

    fn problems(&self) -> Vec<String> {
        self.size.problem("size").into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::testing::*;
    use super::*;

    #[test]
    fn a_small_picture_is_padded_right_and_bottom() {
        let (picture, mask) = run(&RandomCrop { size: Size::Square(3) }, coordinates(2, 2), 0);
        let at = |x, y| Some((x, y));
        assert_eq!(origins(&picture), [at(0, 0), at(1, 0), None, at(0, 1), at(1, 1), None, None, None, None]);
        assert!(aligned(&picture, &mask));
        assert_eq!(picture.pixels()[6..9], FILL);
    }

    #[test]
    fn every_place_is_reached_and_the_mask_follows() {
        let mut corners = BTreeSet::new();
        for seed in 0..200 {
            let (picture, mask) = run(&RandomCrop { size: Size::Sides([2, 3]) }, coordinates(5, 4), seed);
            assert!(aligned(&picture, &mask));
            let (x, y) = origins(&picture)[0].expect("inside");
            let expected: Vec<_> = (0..6).map(|i| Some((x + i % 3, y + i / 3))).collect();
            assert_eq!(origins(&picture), expected);
            corners.insert((x, y));
        }
        assert_eq!(corners.len(), 3 * 3, "{corners:?}");
    }

    #[test]
    fn one_side_may_be_smaller_than_the_crop() {
        let (picture, mask) = run(&RandomCrop { size: Size::Sides([3, 2]) }, coordinates(5, 2), 3);
        assert_eq!((picture.height(), picture.width()), (3, 2));
        assert_eq!(origins(&picture)[4..], [None, None]);
        assert!(origins(&picture)[..4].iter().all(Option::is_some));
        assert!(aligned(&picture, &mask));
    }
}
