//! Train, validation and test: what the data set assigns, and what is taken from it, stratified by class.
//!
//! Images that share a group (one plant, one specimen) are moved together, so that a group is never on both sides of a
//! split made here.

use std::collections::BTreeMap;

use mga_core::random::Generator;
use mga_core::wording::counted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::class_split::{self, ClassParts, ClassSplitSettings};
use crate::dataset::{Record, Split};
use crate::error::{Error, Result};
use crate::summed_up::some_of;

const PER_CLASS: &str = "data.validation.per_class";

/// What is said where `data.split.test` is 0.
const UNTESTED: &str = "data.split.test = 0: there are no test images, so nothing is tested, and no number says how well the \
                        network does on new images";

/// Images taken from train to select a checkpoint on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Validation")]
pub struct ValidationSettings {
    /// Fraction of the training images of each class; neither this nor `per_class`: no validation images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub fraction: Option<f64>,
    /// Number of training images of each class, in place of `fraction`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub per_class: Option<usize>,
    /// Seed of the choice, apart from the experiment's so that seeds of one sweep share their validation images.
    pub seed: u64,
}

impl ValidationSettings {
    /// Returns whether images are taken from train.
    #[must_use]
    pub fn takes_images(&self) -> bool {
        self.fraction.is_some() || self.per_class.is_some()
    }
}

/// The test split of a data set that comes as one tree.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "TestSplit")]
pub struct TestSettings {
    /// Fraction of the images of each class; 0: every image trains, and nothing is tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub test: Option<f64>,
    /// Seed of the choice.
    pub seed: u64,
}

/// Settings of the split: the shares taken from the images that the data set leaves in no split, and from its training
/// images.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SplitSettings {
    /// `data.split`.
    pub test: TestSettings,
    /// `[data.validation]`.
    pub validation: ValidationSettings,
    /// `[data.class_split]`, which takes the place of `test` and of the data set's own split.
    pub classes: Option<ClassSplitSettings>,
}

/// Indices into a data set's records, ascending, each in one part at most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Splits {
    /// Images the weights are fitted to.
    pub train: Vec<usize>,
    /// Images a checkpoint is selected on.
    pub validation: Vec<usize>,
    /// Images evaluated at the end.
    pub test: Vec<usize>,
    /// Notes for the log on decisions that no setting made.
    pub notes: Vec<String>,
}

impl Splits {
    /// Returns the images of one part.
    pub fn of(&self, split: Split) -> &[usize] {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }

    /// Returns the classes that the images of each part have.
    #[must_use]
    pub fn classes(&self, records: &[Record]) -> ClassParts {
        let labels = self.parts().into_iter().flat_map(|(split, images)| {
            images.iter().filter_map(move |&index| Some((split, records.get(index)?.label?)))
        });
        ClassParts::of(labels)
    }

    /// Returns every split with its images.
    pub fn parts(&self) -> [(Split, &[usize]); 3] {
        [Split::Train, Split::Validation, Split::Test].map(|split| (split, self.of(split)))
    }
}

/// Assigns every record to a part. The data set's own split comes first; `settings.test` applies to the records it
/// leaves open, `settings.validation` to what is then in train, unless the data set brings validation images itself.
///
/// Errors: records without a split and no `data.split`; fractions out of range; classes or groups too small, by name.
pub fn assign(records: &[Record], classes: &[String], settings: &SplitSettings) -> Result<Splits> {
    let mut splits = match &settings.classes {
        Some(classes_of) => by_classes(records, classes, classes_of, &settings.test)?,
        None => by_images(records, classes, settings.test)?,
    };
    let validation = &settings.validation;
    if validation.takes_images() {
        if splits.validation.is_empty() {
            splits.validation = take_validation(records, classes, &splits.train, validation)?;
            splits.train.retain(|index| splits.validation.binary_search(index).is_err());
        } else {
            let count = splits.validation.len();
            let whence = if settings.classes.is_some() { "[data.class_split] gives" } else { "the data set brings" };
            splits.notes.push(format!("[data.validation] is not used: {whence} {count} validation images"));
        }
    }
    Ok(splits)
}

/// The parts that the classes decide.
fn by_classes(records: &[Record], classes: &[String], of: &ClassSplitSettings, test: &TestSettings) -> Result<Splits> {
    let used = records.iter().filter_map(|record| record.label).collect();
    let parts = class_split::choose(classes, &used, of)?;
    let mut splits = Splits::default();
    let (mut unlabelled, mut left_out) = (0, 0);
    for (index, record) in records.iter().enumerate() {
        match record.label.map(|label| parts.split_of(label)) {
            None => unlabelled += 1,
            Some(None) => left_out += 1,
            Some(Some(Split::Train)) => splits.train.push(index),
            Some(Some(Split::Validation)) => splits.validation.push(index),
            Some(Some(Split::Test)) => splits.test.push(index),
        }
    }
    let (base, validation, novel) = (parts.base.len(), parts.validation.len(), parts.novel.len());
    splits.notes.push(format!("split by classes: {base} base, {validation} validation, {novel} novel"));
    if records.iter().any(|record| record.split.is_some()) {
        splits.notes.push("[data.class_split] takes the place of the parts that the data set brings".to_owned());
    }
    for (count, what) in [(unlabelled, "without a label"), (left_out, "of classes in no part of the class split")] {
        if count > 0 {
            splits.notes.push(format!("left out {} {what}", counted(count, "image", "images")));
        }
    }
    if test.test.is_some() {
        splits.notes.push("data.split is not used: [data.class_split] says which classes test".to_owned());
    }
    Ok(splits)
}

/// The parts that the data set brings, and the test images taken from what it leaves open.
fn by_images(records: &[Record], classes: &[String], settings: TestSettings) -> Result<Splits> {
    let mut splits = Splits::default();
    let mut open = Vec::new();
    for (index, record) in records.iter().enumerate() {
        match record.split {
            Some(Split::Train) => splits.train.push(index),
            Some(Split::Validation) => splits.validation.push(index),
            Some(Split::Test) => splits.test.push(index),
            None => open.push(index),
        }
    }
    let TestSettings { test, seed } = settings;
    match (test, open.first()) {
        (None, Some(&first)) => {
            let (open, all, first) = (open.len(), records.len(), &records[first].id);
            let what = format!(
                "{open} of {all} images belong to no split, the first is `{first}`; set data.split = {{ test = 0.25, seed = 0 \
                 }} to take a test set from them, or {{ test = 0 }} to train on all of them and test nothing"
            );
            return Err(Error::setting("data.split", what));
        }
        (Some(_), None) if !records.is_empty() => {
            splits.notes.push("data.split is not used: the data set brings its own train and test".to_owned());
        }
        (Some(test), Some(_)) => {
            check_fraction("data.split.test", test)?;
            let held = if test > 0.0 {
                let hold_out = HoldOut { records, classes, key: "data.split", seed, purpose: "split test" };
                hold_out.take(&open, |count| (test * count as f64).round() as usize)?
            } else {
                vec![]
            };
            splits.train.extend(open.iter().filter(|index| held.binary_search(index).is_err()));
            splits.train.sort_unstable();
            splits.test.extend(held);
            splits.test.sort_unstable();
            if splits.test.is_empty() {
                splits.notes.push(UNTESTED.to_owned());
            }
        }
        _ => {}
    }
    Ok(splits)
}

/// The part of `train` that `[data.validation]` asks for, ascending.
fn take_validation(
    records: &[Record],
    classes: &[String],
    train: &[usize],
    settings: &ValidationSettings,
) -> Result<Vec<usize>> {
    let hold_out =
        HoldOut { records, classes, key: "data.validation", seed: settings.seed, purpose: "split validation" };
    match (settings.fraction, settings.per_class) {
        (Some(fraction), None) => {
            check_fraction("data.validation.fraction", fraction)?;
            if fraction == 0.0 {
                return Ok(vec![]);
            }
            hold_out.take(train, |count| (fraction * count as f64).round() as usize)
        }
        (None, Some(0)) => Err(Error::setting(PER_CLASS, "expected at least 1, found 0")),
        (None, Some(per_class)) => {
            let mut counts = BTreeMap::<Option<usize>, usize>::new();
            train.iter().for_each(|&index| *counts.entry(records[index].label).or_default() += 1);
            let small: Vec<String> = counts
                .iter()
                .filter(|&(_, &count)| count <= per_class)
                .map(|(&label, count)| format!("`{}` ({count})", hold_out.class(label)))
                .collect();
            if !small.is_empty() {
                let what = format!("{per_class} leaves no training image of: {}", some_of(&small));
                return Err(Error::setting(PER_CLASS, what));
            }
            hold_out.take(train, |_| per_class)
        }
        (Some(_), Some(_)) => Err(Error::setting(PER_CLASS, "stands beside `fraction`; keep one of the two")),
        (None, None) => Ok(vec![]),
    }
}

fn check_fraction(key: &str, fraction: f64) -> Result<()> {
    if (0.0..1.0).contains(&fraction) {
        Ok(())
    } else {
        Err(Error::setting(key, format!("expected at least 0 and less than 1, found {fraction}")))
    }
}

/// A stratified draw of whole groups.
struct HoldOut<'a> {
    records: &'a [Record],
    classes: &'a [String],
    key: &'a str,
    seed: u64,
    purpose: &'a str,
}

impl HoldOut<'_> {
    /// Takes about `wanted(images of the class)` images of every class out of `from`: at least one, never all.
    ///
    /// Groups are visited largest first, in a drawn order among equals, and taken where that brings the counts closer
    /// to what is wanted; without groups the counts are met exactly. A class that got none is then given its smallest
    /// group that may be taken.
    fn take(&self, from: &[usize], wanted: impl Fn(usize) -> usize) -> Result<Vec<usize>> {
        let mut classes = BTreeMap::<Option<usize>, Vec<usize>>::new();
        from.iter().for_each(|&index| classes.entry(self.records[index].label).or_default().push(index));
        let small: Vec<String> = classes
            .iter()
            .filter(|(_, of)| of.len() < 2)
            .map(|(&label, _)| format!("`{}`", self.class(label)))
            .collect();
        if !small.is_empty() {
            let small = some_of(&small);
            let what = format!("needs two images of every class, one for each side; one image only: {small}");
            return Err(Error::setting(self.key, what));
        }
        let total: BTreeMap<_, _> = classes.iter().map(|(&label, of)| (label, of.len())).collect();
        let target: BTreeMap<_, _> = total.iter().map(|(&l, &n)| (l, wanted(n).clamp(1, n - 1) as i64)).collect();
        let mut taken: BTreeMap<Option<usize>, usize> = total.keys().map(|&label| (label, 0)).collect();

        let mut groups = self.groups(from);
        let mut held = Vec::new();
        let mut left = Vec::new();
        for group in groups.drain(..) {
            let counts = self.counts(&group);
            let gain: i64 = counts
                .iter()
                .map(|(label, &count)| {
                    let short = target[label] - taken[label] as i64;
                    short.pow(2) - (short - count as i64).pow(2)
                })
                .sum();
            if gain > 0 && self.leaves_some(&counts, &taken, &total) {
                counts.iter().for_each(|(label, count)| *taken.entry(*label).or_default() += count);
                held.extend(group);
            } else {
                left.push(group);
            }
        }
        // Smallest first; `left` is in the drawn order, largest first.
        left.reverse();
        for &label in total.keys() {
            if taken[&label] > 0 {
                continue;
            }
            let fits = |group: &Vec<usize>| {
                let counts = self.counts(group);
                counts.contains_key(&label) && self.leaves_some(&counts, &taken, &total)
            };
            let Some(position) = left.iter().position(fits) else {
                let what = format!(
                    "finds no group of class `{}` that could be taken and leave images of every class behind; give the class \
                     a second group, or leave it out",
                    self.class(label)
                );
                return Err(Error::setting(self.key, what));
            };
            let group = left.remove(position);
            self.counts(&group).iter().for_each(|(label, count)| *taken.entry(*label).or_default() += count);
            held.extend(group);
        }
        held.sort_unstable();
        Ok(held)
    }

    /// Whether every class keeps an image once a group with these counts is gone too.
    fn leaves_some(
        &self,
        counts: &BTreeMap<Option<usize>, usize>,
        taken: &BTreeMap<Option<usize>, usize>,
        total: &BTreeMap<Option<usize>, usize>,
    ) -> bool {
        counts.iter().all(|(label, count)| taken[label] + count < total[label])
    }

    /// Images by group, those without one each by itself, in a drawn order, largest first.
    fn groups(&self, from: &[usize]) -> Vec<Vec<usize>> {
        let mut named = BTreeMap::<&str, Vec<usize>>::new();
        let mut groups = Vec::new();
        for &index in from {
            match &self.records[index].group {
                Some(group) => named.entry(group).or_default().push(index),
                None => groups.push(vec![index]),
            }
        }
        groups.extend(named.into_values());
        Generator::new(self.seed, self.purpose, &[]).shuffle(&mut groups);
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        groups
    }

    fn counts(&self, group: &[usize]) -> BTreeMap<Option<usize>, usize> {
        let mut counts = BTreeMap::new();
        group.iter().for_each(|&index| *counts.entry(self.records[index].label).or_default() += 1);
        counts
    }

    fn class(&self, label: Option<usize>) -> String {
        class_name(self.classes, label)
    }
}

/// A class by name, for messages.
pub(crate) fn class_name(classes: &[String], label: Option<usize>) -> String {
    match label {
        Some(label) => classes.get(label).cloned().unwrap_or_else(|| format!("class {label}")),
        None => "without label".to_owned(),
    }
}

#[cfg(test)]
mod tests;
