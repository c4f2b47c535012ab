//! Images that were decoded once, whatever number of splits they are then looked at in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::duplicates::{self, Print, Printer};
use super::report::{ClassCounts, DataReport, Duplicates, NearDuplicate, Placed, Sizes, Spread, Unreadable};
use super::settings::CheckSettings;
use crate::dataset::{Record, Split};
use crate::error::{Error, Result};
use crate::groups;
use crate::source::{Source, caught};
use crate::split::Splits;

/// What one image tells.
pub(super) struct Facts {
    width: usize,
    height: usize,
    pub(super) print: Print,
    mask: Option<MaskFacts>,
}

#[derive(Clone, Copy)]
struct MaskFacts {
    coverage: f64,
    blank: bool,
}

/// Images that were decoded, with what each tells or why it cannot be read.
pub struct Inspected {
    pub(super) facts: BTreeMap<usize, std::result::Result<Facts, String>>,
    pub(super) settings: CheckSettings,
}

impl Inspected {
    /// Decodes these images of `source`, in parallel. `progress` is told how many are done, from any thread.
    ///
    /// # Errors
    /// Threads that cannot be started. Images that cannot be decoded are part of what is found.
    pub fn of(
        source: &dyn Source,
        images: &[usize],
        settings: &CheckSettings,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Self> {
        let printer = Printer::new();
        let done = AtomicUsize::new(0);
        let look = |&index: &usize| {
            let facts = caught(source, index, || facts_of(source, index, &printer));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            (index, facts.map_err(|error| error.to_string()))
        };
        let facts = settings.pool()?.install(|| images.par_iter().map(look).collect());
        Ok(Self { facts, settings: *settings })
    }

    /// Reports on the images in `splits`, all of which were looked at.
    ///
    /// # Errors
    /// An image that was not; threads that cannot be started.
    pub fn report(&self, records: &[Record], classes: &[String], splits: &Splits) -> Result<DataReport> {
        let mut images: Vec<(usize, Split)> =
            splits.parts().iter().flat_map(|&(split, of)| of.iter().map(move |&index| (index, split))).collect();
        images.sort_unstable();
        let record = |index: usize| {
            let unknown = || Error::settings(format!("image {index} of the splits is none of those looked at"));
            records.get(index).ok_or_else(unknown)
        };
        let mut report = counted_report(records, classes, splits);
        let mut prints = Vec::with_capacity(images.len());
        let (mut widths, mut heights, mut aspects, mut coverages) = (vec![], vec![], vec![], vec![]);
        for &(index, split) in &images {
            let id = &record(index)?.id;
            let facts = match self.facts.get(&index) {
                Some(Ok(facts)) => facts,
                Some(Err(what)) => {
                    report.unreadable.push(Unreadable { id: id.clone(), what: what.clone() });
                    continue;
                }
                None => return Err(Error::settings(format!("image {index} of the splits was not looked at"))),
            };
            widths.push(facts.width as f64);
            heights.push(facts.height as f64);
            aspects.push(facts.width as f64 / facts.height as f64);
            match facts.mask {
                None => report.masks.missing.push(id.clone()),
                Some(mask) => {
                    report.masks.images += 1;
                    coverages.push(mask.coverage);
                    if mask.blank {
                        report.masks.blank.push(id.clone());
                    }
                }
            }
            prints.push((index, split, &facts.print));
        }
        if let (Some(width), Some(height), Some(aspect)) =
            (Spread::of(widths), Spread::of(heights), Spread::of(aspects))
        {
            report.sizes = Some(Sizes { width, height, aspect });
        }
        report.masks.coverage = Spread::of(coverages);
        let placed = |(index, split): (usize, Split)| -> Result<Placed> {
            let Record { id, label, .. } = record(index)?;
            let class = label.and_then(|label| classes.get(label).cloned());
            Ok(Placed { id: id.clone(), split, class })
        };
        for same in duplicates::exact(&prints) {
            report.duplicates.push(Duplicates { images: same.into_iter().map(placed).collect::<Result<_>>()? });
        }
        let most = self.settings.near_distance;
        if most > 0 {
            for near in self.settings.pool()?.install(|| duplicates::near(&prints, most)) {
                let (image, other) = (placed(near.image)?, placed(near.other)?);
                report.near_duplicates.push(NearDuplicate { image, other, distance: near.distance });
            }
        }
        Ok(report)
    }
}

fn facts_of(source: &dyn Source, index: usize, printer: &Printer) -> Result<Facts> {
    let (picture, mask) = source.load(index)?;
    let mask = mask.map(|mask| {
        // Ignored pixels have no share.
        let counting = || mask.values().iter().filter(|v| !v.is_nan());
        let sum: f64 = counting().map(|&v| f64::from(v)).sum();
        MaskFacts { coverage: sum / counting().count().max(1) as f64, blank: !counting().any(|&v| v > 0.0) }
    });
    Ok(Facts { width: picture.width(), height: picture.height(), print: printer.print(picture), mask })
}

/// What the records say by themselves: images by class and part, those without a label, groups on several sides.
pub(super) fn counted_report(records: &[Record], classes: &[String], splits: &Splits) -> DataReport {
    let parts = splits.parts();
    let images: Vec<(usize, Split)> =
        parts.iter().flat_map(|&(split, of)| of.iter().map(move |&index| (index, split))).collect();
    let distinct: BTreeSet<usize> = images.iter().map(|(index, _)| *index).collect();
    let unlabelled = |of: fn(Split) -> bool| {
        let without = |&&(index, split): &&(usize, Split)| {
            of(split) && records.get(index).is_some_and(|record| record.label.is_none())
        };
        images.iter().filter(without).count()
    };
    DataReport {
        images: images.len(),
        unassigned: records.len().saturating_sub(distinct.len()),
        classes: class_counts(records, classes, &images),
        unlabelled: unlabelled(|split| split != Split::Test),
        unlabelled_test: unlabelled(|split| split == Split::Test),
        shared_groups: groups::shared(records, splits),
        ..DataReport::default()
    }
}

fn class_counts(records: &[Record], classes: &[String], images: &[(usize, Split)]) -> Vec<ClassCounts> {
    let mut counts: Vec<ClassCounts> =
        classes.iter().map(|name| ClassCounts { name: name.clone(), train: 0, validation: 0, test: 0 }).collect();
    for &(index, split) in images {
        let label = records.get(index).and_then(|record| record.label);
        if let Some(count) = label.and_then(|label| counts.get_mut(label)) {
            match split {
                Split::Train => count.train += 1,
                Split::Validation => count.validation += 1,
                Split::Test => count.test += 1,
            }
        }
    }
    counts
}
