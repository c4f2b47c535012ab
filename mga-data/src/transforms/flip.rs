//! Mirroring image and mask. Draws: one, always.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operation::{Context, Operation, out_of_range};
use super::registered::Transforms;
use crate::picture::{Mask, Picture};

fn half() -> f64 {
    0.5
}

/// Mirrors left and right with probability `p`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HorizontalFlip {
    /// Probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

/// Mirrors top and bottom with probability `p`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerticalFlip {
    /// Probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

/// Returns `horizontal-flip` as it is registered.
pub(super) fn horizontal_entry() -> Entry<Transforms> {
    Transforms::entry::<HorizontalFlip>("horizontal-flip", "Mirrors left and right.")
}

impl Operation for HorizontalFlip {
    fn apply(
        &self,
        mut picture: Picture,
        mut mask: Option<Mask>,
        context: &mut Context<'_>,
    ) -> (Picture, Option<Mask>) {
        if context.generator.chance(self.p) {
            let width = picture.width();
            match picture.bytes_mut() {
                Some(bytes) => mirror_rows::<_, 3>(bytes, width),
                None => mirror_rows::<_, 3>(picture.values_mut(), width),
            }
            if let Some(mask) = &mut mask {
                mirror_rows::<_, 1>(mask.values_mut(), width);
            }
        }
        (picture, mask)
    }

    fn problems(&self) -> Vec<String> {
        out_of_range("p", self.p, 0.0, 1.0).into_iter().collect()
    }
}

/// Returns `vertical-flip` as it is registered.
pub(super) fn vertical_entry() -> Entry<Transforms> {
    Transforms::entry::<VerticalFlip>("vertical-flip", "Mirrors top and bottom.")
}

impl Operation for VerticalFlip {
    fn apply(
        &self,
        mut picture: Picture,
        mut mask: Option<Mask>,
        context: &mut Context<'_>,
    ) -> (Picture, Option<Mask>) {
        if context.generator.chance(self.p) {
            let width = picture.width();
            match picture.bytes_mut() {
                Some(bytes) => reverse_rows(bytes, width * 3),
                None => reverse_rows(picture.values_mut(), width * 3),
            }
            if let Some(mask) = &mut mask {
                reverse_rows(mask.values_mut(), width);
            }
        }
        (picture, mask)
    }

    fn problems(&self) -> Vec<String> {
        out_of_range("p", self.p, 0.0, 1.0).into_iter().collect()
    }
}

fn mirror_rows<T, const CHANNELS: usize>(values: &mut [T], width: usize) {
    values.as_chunks_mut::<CHANNELS>().0.chunks_exact_mut(width).for_each(<[_]>::reverse);
}

fn reverse_rows<T>(values: &mut [T], row: usize) {
    let height = values.len() / row;
    for y in 0..height / 2 {
        let (above, below) = values.split_at_mut((height - 1 - y) * row);
        above[y * row..(y + 1) * row].swap_with_slice(&mut below[..row]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn pixels_and_mask_are_mirrored_together() {
        let (picture, mask) = run(&HorizontalFlip { p: 1.0 }, coordinates(3, 2), 0);
        let at = |x, y| Some((x, y));
        assert_eq!(origins(&picture), [at(2, 0), at(1, 0), at(0, 0), at(2, 1), at(1, 1), at(0, 1)]);
        assert!(aligned(&picture, &mask));
        let (picture, mask) = run(&VerticalFlip { p: 1.0 }, coordinates(2, 3), 0);
        assert_eq!(origins(&picture), [at(0, 2), at(1, 2), at(0, 1), at(1, 1), at(0, 0), at(1, 0)]);
        assert!(aligned(&picture, &mask));
    }

    #[test]
    fn bytes_are_mirrored_as_their_numbers_are() {
        let kept = Picture::from_bytes(5, 3, (0..45).collect()).expect("fits");
        let plain = Picture::new(5, 3, kept.pixels().to_vec()).expect("fits");
        for op in [&HorizontalFlip { p: 1.0 } as &dyn Operation, &VerticalFlip { p: 1.0 }] {
            let flipped = run(op, (kept.clone(), None), 0).0;
            assert!(flipped.bytes().is_some() && flipped != kept);
            assert_eq!(flipped, run(op, (plain.clone(), None), 0).0);
        }
    }

    #[test]
    fn p_is_the_share_that_is_flipped() {
        let input = coordinates(3, 3);
        assert_eq!(run(&HorizontalFlip { p: 0.0 }, input.clone(), 1), input);
        let flipped = (0..400).filter(|&seed| run(&VerticalFlip { p: 0.25 }, input.clone(), seed) != input).count();
        assert!((70..130).contains(&flipped), "{flipped} of 400");
    }
}
