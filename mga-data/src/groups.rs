//! Groups: images that belong together (one plant, one specimen) and must not be on two sides of a split.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::dataset::{Record, Split};
use crate::joined::Joined;
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

/// Returns the groups of images with those joined that have images in one of `sets`, directly or by way of others. A joined
/// group has the name of the first, or of the first set where none of its images had a group; images in no group and no set
/// of two stay without.
///
/// ```
/// use mga_data::groups::joined;
///
/// let own = ["p1", "p2", "p2", "", ""].map(|name| (!name.is_empty()).then(|| name.to_owned()));
/// let sets = [("alike".to_owned(), vec![0, 1]), ("alone".to_owned(), vec![4])];
/// let joined: Vec<_> = joined(&own, &sets).into_iter().map(Option::unwrap_or_default).collect();
/// assert_eq!(joined, ["p1", "p1", "p1", "", ""]);
/// ```
#[must_use]
pub fn joined(own: &[Option<String>], sets: &[(String, Vec<usize>)]) -> Vec<Option<String>> {
    let mut all = Joined::of(own.len());
    let mut first = BTreeMap::<&str, usize>::new();
    for (image, group) in own.iter().enumerate() {
        if let Some(group) = group {
            all.join(*first.entry(group).or_insert(image), image);
        }
    }
    let mut besides = BTreeMap::<usize, &str>::new();
    for (name, set) in sets {
        let images = || set.iter().copied().filter(|&image| image < own.len());
        for image in images() {
            besides.entry(image).or_insert(name);
            images().next().into_iter().for_each(|first| all.join(first, image));
        }
    }
    let mut groups = vec![None; own.len()];
    let mut taken = BTreeSet::new();
    for set in all.sets() {
        let named = set.iter().find_map(|&image| own[image].as_deref());
        let Some(name) = named.or_else(|| besides.get(&set[0]).copied().filter(|_| set.len() > 1)) else { continue };
        let mut name = name.to_owned();
        while !taken.insert(name.clone()) {
            name.push('\'');
        }
        set.iter().for_each(|&image| groups[image] = Some(name.clone()));
    }
    groups
}
