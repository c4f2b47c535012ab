//! `shuffled`: another image's mask.

use std::collections::BTreeMap;
use std::sync::Arc;

use mga_core::random::Generator;
use mga_registry::Entry;

use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::masks::settings::{MaskSettings, SOURCE};
use crate::masks::source_kind::{MadeOf, MaskControl, MaskSources, RegisteredMaskSource};

/// Returns `shuffled` as it is registered.
pub(super) fn entry() -> Entry<MaskSources> {
    Entry::<MaskSources>::new("shuffled", "control: another image's mask", Arc::new(Shuffled))
}

struct Shuffled;

impl RegisteredMaskSource for Shuffled {
    fn made_of(&self) -> MadeOf {
        MadeOf::Masks
    }

    fn control(&self, settings: &MaskSettings, dataset: &dyn Dataset, of: &str) -> Result<MaskControl> {
        Ok(MaskControl::Exchanged(partners(dataset, of, settings.seed)?))
    }

    fn coverage_is_meant(&self) -> bool {
        true
    }

    fn draws(&self) -> bool {
        true
    }
}

/// Of each image that has a mask, another one that has: a random cycle through the images of each split, so that none
/// keeps its own and masks do not cross a split the data set makes. A single image of a split borrows from the others.
fn partners(dataset: &dyn Dataset, of: &str, seed: u64) -> Result<Vec<Option<usize>>> {
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
