//! Erasing a rectangle. Draws: whether; where it does, up to ten times area and aspect, then top and left.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operation::{Context, Operation, bad_interval, out_of_range};
use super::registered::Transforms;
use crate::picture::{Mask, Picture};

/// Rectangles tried before the image is left as it is, as in torchvision.
const ATTEMPTS: usize = 10;

/// Sets a random rectangle to zero (after normalisation), in image and mask, with probability `p`.
///
/// The defaults are those of MGA's authors. Their torchvision drew the aspect uniformly, which favours tall rectangles;
/// later versions, and `log_uniform = true`, draw its logarithm uniformly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RandomErase {
    /// Probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
    /// Least and greatest fraction of the image's area.
    #[schemars(inner(range(min = 0.0, max = 1.0)))]
    pub area: [f64; 2],
    /// Least and greatest height over width.
    #[schemars(inner(range(min = 0.01, max = 100.0)))]
    pub aspect: [f64; 2],
    /// Draws the logarithm of the aspect uniformly, instead of the aspect.
    pub log_uniform: bool,
}

impl Default for RandomErase {
    fn default() -> Self {
        Self { p: 0.5, area: [0.02, 0.33], aspect: [0.3, 3.3], log_uniform: false }
    }
}

/// Returns `random-erase` as it is registered.
pub(super) fn entry() -> Entry<Transforms> {
    Transforms::entry::<RandomErase>("random-erase", "Zeroes a random rectangle of image and mask.")
}

impl Operation for RandomErase {
    fn apply(
        &self,
        mut picture: Picture,
        mut mask: Option<Mask>,
        context: &mut Context<'_>,
    ) -> (Picture, Option<Mask>) {
        if !context.generator.chance(self.p) {
            return (picture, mask);
        }
        let (height, width) = (picture.height(), picture.width());
        for _ in 0..ATTEMPTS {
            let area = (height * width) as f64 * context.generator.uniform_in(self.area[0], self.area[1]);
            let [low, high] = self.aspect;
            let aspect = if self.log_uniform {
                context.generator.uniform_in(low.ln(), high.ln()).exp()
            } else {
                context.generator.uniform_in(low, high)
            };
            let h = (area * aspect).sqrt().round_ties_even() as usize;
            let w = (area / aspect).sqrt().round_ties_even() as usize;
            if h < height && w < width {
                let top = context.generator.below(height - h + 1);
                let left = context.generator.below(width - w + 1);
                for y in top..top + h {
                    let start = y * width + left;
                    let row = &mut picture.values_mut()[start * 3..(start + w) * 3];
                    row.chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&context.fill));
                    if let Some(mask) = &mut mask {
                        let outside = mask.outside();
                        mask.values_mut()[start..start + w].fill(outside);
                    }
                }
                break;
            }
        }
        (picture, mask)
    }

    fn problems(&self) -> Vec<String> {
        out_of_range("p", self.p, 0.0, 1.0)
            .into_iter()
            .chain(bad_interval("area", self.area, 0.0, 1.0))
            .chain(bad_interval("aspect", self.aspect, 0.01, 100.0))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    /// Height and width of the erased rectangle, after checking that it is one, in image and mask alike.
    fn rectangle(picture: &Picture, mask: &Option<Mask>) -> (usize, usize) {
        let width = picture.width();
        let origins = origins(picture);
        let erased: Vec<usize> = (0..origins.len()).filter(|&i| origins[i].is_none()).collect();
        let (Some(first), Some(last)) = (erased.first(), erased.last()) else { return (0, 0) };
        let (h, w) = (last / width - first / width + 1, last % width - first % width + 1);
        assert_eq!(erased.len(), h * w, "not a rectangle");
        let mask = mask.as_ref().expect("a mask");
        for (i, value) in mask.values().iter().enumerate() {
            assert_eq!(*value == 0.0, erased.contains(&i), "mask and image differ at {i}");
        }
        (h, w)
    }

    fn ones(width: usize, height: usize) -> (Picture, Option<Mask>) {
        (coordinates(width, height).0, Some(Mask::filled(width, height, 1.0)))
    }

    #[test]
    fn a_rectangle_of_the_asked_area_is_zeroed_in_both() {
        let op = RandomErase { p: 1.0, area: [0.16, 0.16], aspect: [4.0, 4.0], log_uniform: false };
        for seed in 0..20 {
            let (picture, mask) = run(&op, ones(10, 10), seed);
            assert_eq!(rectangle(&picture, &mask), (8, 2));
        }
    }

    #[test]
    fn the_aspect_is_uniform_unless_asked_otherwise() {
        let share_of_tall = |log_uniform| {
            let op = RandomErase { p: 1.0, area: [0.04, 0.04], aspect: [0.3, 3.3], log_uniform };
            let tall = |seed: &u64| {
                let (picture, mask) = run(&op, ones(40, 40), *seed);
                let (h, w) = rectangle(&picture, &mask);
                h > w
            };
            (0..300).filter(tall).count()
        };
        // Uniform in 0.3 to 3.3: 2.3 / 3 of all are above 1; in the logarithm about half. Squares after rounding count as wide.
        let (uniform, log_uniform) = (share_of_tall(false), share_of_tall(true));
        assert!((195..245).contains(&uniform), "{uniform} of 300");
        assert!((105..165).contains(&log_uniform), "{log_uniform} of 300");
    }

    #[test]
    fn p_is_the_share_that_is_erased_and_what_cannot_fit_is_left() {
        let erased = |p| {
            let op = RandomErase { p, ..RandomErase::default() };
            (0..400).filter(|&seed| run(&op, ones(20, 20), seed) != ones(20, 20)).count()
        };
        assert_eq!(erased(0.0), 0);
        assert!((165..235).contains(&erased(0.5)), "{}", erased(0.5));
        let huge = RandomErase { p: 1.0, area: [1.0, 1.0], aspect: [1.0, 1.0], log_uniform: false };
        assert_eq!(run(&huge, ones(5, 5), 0), ones(5, 5));
    }
}
