//! A window of random area and aspect, resized. Draws: up to ten times area and aspect, then top and left.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::interpolation::Interpolation;
use super::operation::{Context, Operation, bad_interval};
use super::registered::Transforms;
use super::resample::resize_mask;
use super::size::Size;
use super::window::Window;
use crate::picture::{Mask, Picture};

/// Windows tried before the central one is taken, as in torchvision.
const ATTEMPTS: usize = 10;

pub(super) fn default_area() -> [f64; 2] {
    [0.08, 1.0]
}

pub(super) fn default_aspect() -> [f64; 2] {
    [3.0 / 4.0, 4.0 / 3.0]
}

/// Cuts out a window whose area is drawn uniformly and whose aspect log-uniformly, and resizes it to `size`: torchvision's
/// `RandomResizedCrop`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomResizedCrop {
    /// Side of a square, or `[height, width]`, in pixels.
    pub size: Size,
    /// Least and greatest fraction of the image's area.
    #[serde(default = "default_area")]
    #[schemars(inner(range(min = 0.0, max = 1.0)))]
    pub area: [f64; 2],
    /// Least and greatest width over height of the window.
    #[serde(default = "default_aspect")]
    #[schemars(inner(range(min = 0.01, max = 100.0)))]
    pub aspect: [f64; 2],
    /// How the image is resampled.
    #[serde(default)]
    pub interpolation: Interpolation,
}

impl RandomResizedCrop {
    /// The largest central window whose aspect is allowed, for pictures too narrow for any that was drawn.
    fn central(&self, height: usize, width: usize) -> Window {
        let ratio = width as f64 / height as f64;
        let (h, w) = if ratio < self.aspect[0] {
            ((width as f64 / self.aspect[0]).round_ties_even() as usize, width)
        } else if ratio > self.aspect[1] {
            (height, (height as f64 * self.aspect[1]).round_ties_even() as usize)
        } else {
            (height, width)
        };
        let (h, w) = (h.clamp(1, height), w.clamp(1, width));
        Window { top: ((height - h) / 2) as isize, left: ((width - w) / 2) as isize, height: h, width: w }
    }

    fn draw(&self, height: usize, width: usize, context: &mut Context<'_>) -> Window {
        for _ in 0..ATTEMPTS {
            let area = (height * width) as f64 * context.generator.uniform_in(self.area[0], self.area[1]);
            let aspect = context.generator.uniform_in(self.aspect[0].ln(), self.aspect[1].ln()).exp();
            let w = (area * aspect).sqrt().round_ties_even() as usize;
            let h = (area / aspect).sqrt().round_ties_even() as usize;
            if (1..=width).contains(&w) && (1..=height).contains(&h) {
                let top = context.generator.below(height - h + 1) as isize;
                let left = context.generator.below(width - w + 1) as isize;
                return Window { top, left, height: h, width: w };
            }
        }
        self.central(height, width)
    }
}

/// Returns `random-resized-crop` as it is registered.
pub(super) fn entry() -> Entry<Transforms> {
    Transforms::entry::<RandomResizedCrop>(
        "random-resized-crop",
        "Cuts out a window of random area and aspect and resizes it.",
    )
}

impl Operation for RandomResizedCrop {
    fn apply(&self, picture: Picture, mask: Option<Mask>, context: &mut Context<'_>) -> (Picture, Option<Mask>) {
        let window = self.draw(picture.height(), picture.width(), context);
        let (picture, mask) = window.cut(&picture, mask, context.fill);
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

    fn view(&self, height: usize, width: usize) -> f64 {
        let central = self.central(height, width);
        self.area[0].min((central.height * central.width) as f64 / (height * width) as f64)
    }

    fn problems(&self) -> Vec<String> {
        self.size
            .problem("size")
            .into_iter()
            .chain(bad_interval("area", self.area, 0.0, 1.0))
            .chain(bad_interval("aspect", self.aspect, 0.01, 100.0))
            .collect()
    }

    fn resamples(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rounding;
    use super::super::testing::*;
    use super::*;

    fn op(size: [usize; 2], area: [f64; 2], aspect: [f64; 2]) -> RandomResizedCrop {
        RandomResizedCrop { size: Size::Sides(size), area, aspect, interpolation: Interpolation::Bilinear }
    }

    #[test]
    fn the_window_has_the_asked_area_and_aspect() {
        // A quarter of 8 x 8 at aspect 4: 8 wide, 2 high; cut to that very size nothing is resampled.
        let mut rows = std::collections::BTreeSet::new();
        for seed in 0..60 {
            let (picture, mask) = run(&op([2, 8], [0.25, 0.25], [4.0, 4.0]), coordinates(8, 8), seed);
            let (x, y) = origins(&picture)[0].expect("inside");
            assert_eq!(x, 0);
            assert_eq!(origins(&picture), (0..16).map(|i| Some((i % 8, y + i / 8))).collect::<Vec<_>>());
            assert!(aligned(&picture, &mask));
            rows.insert(y);
        }
        assert_eq!(rows.len(), 7);
    }

    #[test]
    fn narrow_pictures_give_their_central_window() {
        let crop = op([2, 2], [1.0, 1.0], [1.0, 1.0]);
        let (picture, mask) = run(&crop, coordinates(6, 2), 0);
        assert_eq!(origins(&picture), [Some((2, 0)), Some((3, 0)), Some((2, 1)), Some((3, 1))]);
        assert!(aligned(&picture, &mask));
        assert!((crop.view(2, 6) - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(crop.central(9, 3), Window { top: 3, left: 0, height: 3, width: 3 });
    }

    #[test]
    fn areas_and_aspects_stay_in_their_ranges() {
        let crop = op([4, 4], [0.2, 0.6], [0.75, 4.0 / 3.0]);
        for seed in 0..200 {
            let mut generator = mga_core::random::Generator::new(seed, "test", &[]);
            let window =
                crop.draw(100, 140, &mut Context { generator: &mut generator, fill: FILL, rounding: Rounding::None });
            let area = (window.height * window.width) as f64 / 14_000.0;
            let aspect = window.width as f64 / window.height as f64;
            assert!((0.19..0.61).contains(&area) && (0.73..1.36).contains(&aspect), "{window:?}");
            assert!(window.top as usize + window.height <= 100 && window.left as usize + window.width <= 140);
        }
    }
}
