//! Groups: images that belong together (one plant, one specimen) and must not be on two sides of a split.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::dataset::{Record, Split};
use crate::split::Splits;

/// A group with images in more than one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedGroup {
    /// The name of the group.
    pub group: String,
    /// The parts.
    pub splits: Vec<Split>,
    /// The number of its images in all splits.
    pub images: usize,
}

impl fmt::Display for SharedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.splits.iter().map(|split| split.name()).collect::<Vec<_>>().join(" and ");
        write!(f, "group `{}` ({} images) is in {parts}", self.group, self.images)
    }
}

/// Returns the groups with images in more than one part of `splits`, by name.
#[must_use]
pub fn shared(records: &[Record], splits: &Splits) -> Vec<SharedGroup> {
    let mut groups = BTreeMap::<&str, (BTreeSet<Split>, usize)>::new();
    for (split, images) in splits.parts() {
        for group in images.iter().filter_map(|&index| records.get(index)?.group.as_deref()) {
            let entry = groups.entry(group).or_default();
            entry.0.insert(split);
            entry.1 += 1;
        }
    }
    let torn = groups.into_iter().filter(|(_, (splits, _))| splits.len() > 1);
    torn.map(|(group, (splits, images))| SharedGroup {
        group: group.to_owned(),
        splits: splits.into_iter().collect(),
        images,
    })
    .collect()
}
