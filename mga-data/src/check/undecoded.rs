//! What can be said of a data set and its splits without decoding an image.

use std::collections::BTreeMap;

use super::inspected::counted_report;
use super::report::{DataReport, Duplicates, Placed};
use crate::dataset::{Record, Split};
use crate::split::Splits;

/// Reports on groups, classes, labels and files with the same contents. `contents` has a hash of what each image is made of,
/// where that is known; images that differ in their files and not in their pixels are not found, nor are near copies.
#[must_use]
pub fn undecoded(records: &[Record], classes: &[String], splits: &Splits, contents: &[Option<String>]) -> DataReport {
    let mut report = counted_report(records, classes, splits);
    let mut same = BTreeMap::<&str, Vec<(usize, Split)>>::new();
    for (split, images) in splits.parts() {
        for &index in images {
            if let Some(hash) = contents.get(index).and_then(Option::as_deref) {
                same.entry(hash).or_default().push((index, split));
            }
        }
    }
    let mut sets: Vec<Vec<(usize, Split)>> = same.into_values().filter(|set| set.len() > 1).collect();
    sets.iter_mut().for_each(|set| set.sort_unstable());
    sets.sort_unstable();
    let placed = |(index, split): (usize, Split)| {
        let record = records.get(index)?;
        let class = record.label.and_then(|label| classes.get(label).cloned());
        Some(Placed { id: record.id.clone(), split, class })
    };
    let sets = sets.into_iter().map(|set| Duplicates { images: set.into_iter().filter_map(placed).collect() });
    report.duplicates = sets.collect();
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_content_and_lacking_classes_are_found_without_a_picture() {
        let record =
            |id: &str, label| Record { id: id.to_owned(), path: None, label: Some(label), group: None, split: None };
        let records = [record("a", 0), record("b", 0), record("c", 1), record("d", 0)];
        let classes = ["oak", "ash"].map(str::to_owned);
        let splits = Splits { train: vec![0, 3], test: vec![1, 2], ..Splits::default() };
        let hashes = ["x", "x", "y"].map(|hash| Some(hash.to_owned()));
        let problems = undecoded(&records, &classes, &splits, &hashes).problems();
        assert_eq!(
            problems,
            ["the same image on both sides of a split: a (train), b (test)", "classes without a training image: `ash`"]
        );
        let apart = [Some("x".to_owned()), Some("z".to_owned())];
        assert_eq!(
            undecoded(
                &records[..2],
                &classes[..1],
                &Splits { train: vec![0], test: vec![1], ..Splits::default() },
                &apart
            )
            .problems(),
            Vec::<String>::new()
        );
    }
}
