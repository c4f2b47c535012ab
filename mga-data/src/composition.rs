//! Oddities in the spread of classes and groups over the splits of any data set.

use std::collections::BTreeSet;

use crate::dataset::{Record, Split};
use crate::spelling::alike_note;
use crate::split::Splits;
use crate::summed_up::some_of;

/// Returns a sentence on everything that is worth knowing before it is trained on: classes that a part lacks, images
/// without a group, names of classes and groups that look like one.
#[must_use]
pub fn notes(records: &[Record], classes: &[String], splits: &Splits) -> Vec<String> {
    let mut notes = Vec::new();
    let of = |images: &[usize]| -> BTreeSet<usize> {
        images.iter().filter_map(|&index| records.get(index)?.label).collect()
    };
    let parts = splits.classes(records);
    let apart = parts.are_apart();
    if apart {
        let (base, novel) = (parts.base.len(), parts.novel.len());
        notes.push(format!(
            "the {novel} classes of the test images are none of the {base} of the training images: a classifier of fixed \
             classes cannot be tested so"
        ));
    }
    let used: BTreeSet<usize> = splits.parts().iter().flat_map(|(_, images)| of(images)).collect();
    for (split, images) in splits.parts() {
        let there = of(images);
        let lacking: Vec<String> =
            used.difference(&there).filter_map(|&label| classes.get(label)).map(|class| format!("`{class}`")).collect();
        // A part without any label lacks no class.
        if !apart && !there.is_empty() && !lacking.is_empty() {
            let part = if split == Split::Train { "training" } else { split.name() };
            notes.push(format!("classes without a {part} image: {}", some_of(&lacking)));
        }
    }
    let placed = || splits.parts().into_iter().flat_map(|(_, images)| images).filter_map(|&index| records.get(index));
    let groups: BTreeSet<&str> = placed().filter_map(|record| record.group.as_deref()).collect();
    let alone = placed().filter(|record| record.group.is_none()).count();
    if !groups.is_empty() && alone > 0 {
        notes.push(format!("{alone} of {} images have no group: each counts as one of its own", placed().count()));
    }
    notes.extend(alike_note("classes", used.iter().filter_map(|&label| classes.get(label)).map(String::as_str)));
    notes.extend(alike_note("groups", groups));
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(label: Option<usize>, group: &str) -> Record {
        let group = (!group.is_empty()).then(|| group.to_owned());
        Record { id: String::new(), path: None, label, group, split: None }
    }

    #[test]
    fn what_is_odd_is_said_and_what_is_not_is_not() {
        let classes = ["oak", "Oak", "ash", "unused"].map(str::to_owned);
        let records = [
            record(Some(0), "p1"),
            record(Some(1), "p2"),
            record(Some(0), "P1 "),
            record(Some(2), ""),
            record(Some(0), ""),
            record(None, "p3"),
        ];
        let splits = Splits { train: vec![0, 1], validation: vec![2], test: vec![3, 4, 5], notes: vec![] };
        assert_eq!(
            notes(&records, &classes, &splits),
            [
                "classes without a training image: `ash`",
                "classes without a validation image: `Oak`, `ash`",
                "classes without a test image: `Oak`",
                "2 of 6 images have no group: each counts as one of its own",
                "classes that differ by case, blanks or spelling of the same characters alone, and are kept apart: `Oak` \
                 and `oak`; give them one name where they mean one",
                "groups that differ by case, blanks or spelling of the same characters alone, and are kept apart: `P1 ` \
                 and `p1`; give them one name where they mean one",
            ]
        );
        let splits = Splits { train: vec![0], test: vec![4], ..Splits::default() };
        let plain =
            [record(Some(0), ""), record(Some(0), ""), record(Some(0), ""), record(Some(2), ""), record(Some(0), "")];
        assert_eq!(notes(&plain, &classes, &splits), Vec::<String>::new());
        // Novel classes in the test images are no classes that a part lacks.
        let splits = Splits { train: vec![0], test: vec![3], ..Splits::default() };
        let said = notes(&plain, &classes, &splits);
        assert!(said.len() == 1 && said[0].contains("the 1 classes of the test images are none"), "{said:?}");
    }
}
