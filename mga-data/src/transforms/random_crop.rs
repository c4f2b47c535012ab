//! A random window of fixed size. Draws: top, then left, always both.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operation::{Context, Operation, out_of_range};
use super::registered::Transforms;
use super::size::Size;
use super::window::Window;
use crate::picture::{Mask, Picture};

/// Cuts out a window of `size` at a random place. Where the picture is smaller it is first padded right and bottom with
/// zeros (after normalisation), as the authors of MGA do. `padding` pads all sides before, as is usual for CIFAR-10.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomCrop {
    /// Side of a square, or `[height, width]`, in pixels.
    pub size: Size,
    /// Pixels that are added at each side of the picture before the window is drawn. 4 is usual for CIFAR-10.
    #[serde(default, skip_serializing_if = "is_none")]
    #[schemars(range(max = 4096), extend("x-older-releases" = 0))]
    pub padding: usize,
    /// Colour of what is padded, red, green and blue in 0 to 1: [0, 0, 0] is torchvision's. Left out: zero after normalisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(inner(range(min = 0.0, max = 1.0)), extend("x-older-releases" = null))]
    pub fill: Option<[f32; 3]>,
}

fn is_none(padding: &usize) -> bool {
    *padding == 0
}

impl RandomCrop {
    /// Returns the crop of this size, without padding.
    #[must_use]
    pub const fn new(size: Size) -> Self {
        Self { size, padding: 0, fill: None }
    }
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
        let (rows, columns) = (picture.height() + 2 * self.padding, picture.width() + 2 * self.padding);
        let top = context.generator.below(rows.saturating_sub(height) + 1) as isize - self.padding as isize;
        let left = context.generator.below(columns.saturating_sub(width) + 1) as isize - self.padding as isize;
        Window { top, left, height, width }.cut(&picture, mask, self.fill.unwrap_or(context.fill))
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
        let padding = out_of_range("padding", self.padding as f64, 0.0, 4096.0);
        let fill = self.fill.into_iter().flatten().find_map(|v| out_of_range("fill", f64::from(v), 0.0, 1.0));
        self.size.problem("size").into_iter().chain(padding).chain(fill).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::testing::*;
    use super::*;

    #[test]
    fn a_small_picture_is_padded_right_and_bottom() {
        let (picture, mask) = run(&RandomCrop::new(Size::Square(3)), coordinates(2, 2), 0);
        let at = |x, y| Some((x, y));
        assert_eq!(origins(&picture), [at(0, 0), at(1, 0), None, at(0, 1), at(1, 1), None, None, None, None]);
        assert!(aligned(&picture, &mask));
        assert_eq!(picture.pixels()[6..9], FILL);
    }

    #[test]
    fn padding_shows_the_fill_at_every_side_and_at_times_the_whole_picture() {
        let crop = RandomCrop { padding: 1, ..RandomCrop::new(Size::Square(3)) };
        let (mut whole, mut empty) = (0, [0; 9]);
        for seed in 0..200 {
            let (picture, mask) = run(&crop, coordinates(3, 3), seed);
            assert!(aligned(&picture, &mask));
            let black = run(&RandomCrop { fill: Some([0.0; 3]), ..crop }, coordinates(3, 3), seed).0;
            let inside: Vec<bool> = black.pixels().chunks(3).map(|pixel| pixel != [0.0; 3]).collect();
            assert_eq!(origins(&picture).iter().map(Option::is_some).collect::<Vec<_>>(), inside);
            whole += usize::from(inside.iter().all(|&inside| inside));
            inside.iter().zip(&mut empty).for_each(|(inside, empty)| *empty += usize::from(!inside));
        }
        // One of nine windows is the picture; each corner is outside in five of them, the middle never.
        assert!((10..40).contains(&whole), "{whole}");
        assert!(empty[0] > 80 && empty[2] > 80 && empty[6] > 80 && empty[8] > 80 && empty[4] == 0, "{empty:?}");
    }

    #[test]
    fn every_place_is_reached_and_the_mask_follows() {
        let mut corners = BTreeSet::new();
        for seed in 0..200 {
            let (picture, mask) = run(&RandomCrop::new(Size::Sides([2, 3])), coordinates(5, 4), seed);
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
        let (picture, mask) = run(&RandomCrop::new(Size::Sides([3, 2])), coordinates(5, 2), 3);
        assert_eq!((picture.height(), picture.width()), (3, 2));
        assert_eq!(origins(&picture)[4..], [None, None]);
        assert!(origins(&picture)[..4].iter().all(Option::is_some));
        assert!(aligned(&picture, &mask));
    }
}
