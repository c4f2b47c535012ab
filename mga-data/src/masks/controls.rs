//! Masks that tell whether the mask matters: another image's, and the middle of the picture.

use std::collections::BTreeMap;

use mga_core::random::Generator;

use super::settings::SOURCE;
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::picture::Mask;

/// Standard deviation of the `"centre"` control, as a share of each side.
const CENTRE_SPREAD: f32 = 0.25;

/// Of each image that has a mask, another one that has: a random cycle through the images of each split, so that none
/// keeps its own and masks do not cross a split the data set makes. A single image of a split borrows from the others.
pub(super) fn partners(dataset: &dyn Dataset, of: &str, seed: u64) -> Result<Vec<Option<usize>>> {
    let records = dataset.records();
    let mut groups: BTreeMap<Option<Split>, Vec<usize>> = BTreeMap::new();
    for (index, record) in records.iter().enumerate().filter(|(index, _)| dataset.has_mask(*index, of)) {
        groups.entry(record.split).or_default().push(index);
    }
    let all: Vec<usize> = groups.values().flatten().copied().collect();
    if all.len() < 2 {
        let what = format!("`shuffled` needs two images with masks from `{of}` at least, and there are {}", all.len());
        return Err(Error::setting(SOURCE, what));
    }
    let mut partners = vec![None; records.len()];
    for (position, group) in groups.values().enumerate() {
        let mut generator = Generator::new(seed, "masks/shuffled", &[position as u64]);
        if let [only] = group[..] {
            let others: Vec<usize> = all.iter().copied().filter(|&index| index != only).collect();
            partners[only] = others.get(generator.below(others.len())).copied();
            continue;
        }
        let mut cycle = group.clone();
        generator.shuffle(&mut cycle);
        for (at, &index) in cycle.iter().enumerate() {
            partners[index] = cycle.get((at + 1) % cycle.len()).copied();
        }
    }
    Ok(partners)
}

/// A Gaussian about the middle, 1 at its peak.
pub(super) fn centre(width: usize, height: usize) -> Mask {
    // Whole numbers up to the division, so that the mask is symmetric to the bit.
    let along = |i: usize, side: usize| (2 * i + 1).abs_diff(side) as f32 / (2 * side) as f32 / CENTRE_SPREAD;
    let mut mask = Mask::filled(width, height, 0.0);
    for (i, value) in mask.values_mut().iter_mut().enumerate() {
        let (x, y) = (along(i % width, width), along(i / width, height));
        *value = (-0.5 * (x * x + y * y)).exp();
    }
    mask
}
