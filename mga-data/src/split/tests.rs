//! Splits: how many land where, and what stays together.

use std::collections::BTreeSet;

use super::*;
use crate::class_split::ClassChoice;

fn record(id: usize, label: usize, group: Option<usize>, split: Option<Split>) -> Record {
    let group = group.map(|g| format!("plant {g}"));
    Record { id: format!("{id}.png"), path: None, label: Some(label), group, split }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("species {i}")).collect()
}

fn per_label(records: &[Record], indices: &[usize]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    indices.iter().for_each(|&i| *counts.entry(records[i].label.expect("a label")).or_default() += 1);
    counts
}

fn validation(fraction: f64, seed: u64) -> SplitSettings {
    let validation = ValidationSettings { fraction: Some(fraction), per_class: None, seed };
    SplitSettings { validation, ..SplitSettings::default() }
}

fn taken(test: f64, seed: u64) -> TestSettings {
    TestSettings { test: Some(test), seed }
}

/// Class 0 has 20 training images, class 1 eight, class 2 two; each has one for test.
fn uneven() -> Vec<Record> {
    let labels = [vec![0; 20], vec![1; 8], vec![2; 2]].concat();
    let mut records: Vec<_> =
        labels.iter().enumerate().map(|(i, &label)| record(i, label, None, Some(Split::Train))).collect();
    records.extend((0..3).map(|label| record(30 + label, label, None, Some(Split::Test))));
    records
}

#[test]
fn a_class_split_takes_the_place_of_the_parts_of_the_data_set() {
    let mut records: Vec<Record> = (0..12).map(|i| record(i, i / 3, None, None)).collect();
    records[0].label = None;
    records[1].split = Some(Split::Test);
    let names = |names: &[&str]| Some(ClassChoice::Names(names.iter().map(|&name| name.to_owned()).collect()));
    let (base, novel) = (names(&["species 0"]), names(&["species 1"]));
    let classes = Some(ClassSplitSettings { base, novel, ..ClassSplitSettings::default() });
    let settings = SplitSettings { classes, ..SplitSettings::default() };
    let splits = assign(&records, &self::names(4), &settings).unwrap();
    assert_eq!((splits.train.as_slice(), splits.test.as_slice()), (&[1, 2][..], &[3, 4, 5][..]));
    assert!(splits.classes(&records).are_apart());
    assert_eq!(
        splits.notes,
        [
            "split by classes: 1 base, 0 validation, 1 novel",
            "[data.class_split] takes the place of the parts that the data set brings",
            "left out 1 image without a label",
            "left out 6 images of classes in no part of the class split",
        ]
    );
    // Validation images of base classes, where no class is held out for that.
    let validation = ValidationSettings { per_class: Some(1), ..ValidationSettings::default() };
    let splits = assign(&records, &self::names(4), &SplitSettings { validation, ..settings }).unwrap();
    assert_eq!((splits.train.len(), splits.validation.len()), (1, 1));
}

#[test]
fn validation_is_stratified_with_at_least_one_and_never_all() {
    let records = uneven();
    let splits = assign(&records, &names(3), &validation(0.25, 0)).expect("splits");
    assert_eq!(per_label(&records, &splits.validation), BTreeMap::from([(0, 5), (1, 2), (2, 1)]));
    assert_eq!(splits.test, [30, 31, 32]);
    let mut all = [splits.train.clone(), splits.validation.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..30).collect::<Vec<_>>());
    assert!(splits.train.is_sorted() && splits.validation.is_sorted());
    let most = assign(&records, &names(3), &validation(0.95, 0)).expect("splits");
    assert_eq!(per_label(&records, &most.train), BTreeMap::from([(0, 1), (1, 1), (2, 1)]));
    assert!(assign(&records, &names(3), &validation(0.0, 0)).expect("splits").validation.is_empty());
}

#[test]
fn ranges_reach_the_schema() {
    let schema = serde_json::to_value(schemars::schema_for!(ValidationSettings)).expect("JSON");
    assert_eq!(schema["properties"]["fraction"]["exclusiveMaximum"], 1.0);
    assert_eq!(schema["properties"]["per_class"]["minimum"], 1);
}

#[test]
fn the_seed_and_nothing_else_decides() {
    let records = uneven();
    let taken = |seed| assign(&records, &names(3), &validation(0.25, seed)).expect("splits").validation;
    assert_eq!(taken(4), taken(4));
    assert!((0..5).map(taken).collect::<BTreeSet<_>>().len() > 1);
}

#[test]
fn per_class_takes_that_many_or_names_who_is_too_small() {
    let records = uneven();
    let with = |per_class| {
        let validation = ValidationSettings { fraction: None, per_class: Some(per_class), seed: 0 };
        assign(&records, &names(3), &SplitSettings { validation, ..SplitSettings::default() })
    };
    let splits = with(1).expect("splits");
    assert_eq!(per_label(&records, &splits.validation), BTreeMap::from([(0, 1), (1, 1), (2, 1)]));
    let message = with(2).expect_err("two of two").to_string();
    assert!(message.contains("`species 2` (2)") && !message.contains("species 1"), "{message}");
    assert!(with(0).is_err());
}

#[test]
fn a_group_is_never_on_two_sides() {
    // Six classes of five plants; plant p has 2 to 6 images, and plants 100.. carry two classes each.
    let mut records = Vec::new();
    for label in 0..6 {
        for plant in 0..5 {
            for _ in 0..2 + (label + plant) % 5 {
                records.push(record(records.len(), label, Some(label * 5 + plant), None));
            }
        }
        records.push(record(records.len(), label, Some(100 + label / 2), None));
        records.push(record(records.len(), label, None, None));
    }
    for seed in 0..20 {
        let settings = SplitSettings { test: taken(0.3, seed), ..validation(0.25, seed) };
        let splits = assign(&records, &names(6), &settings).expect("splits");
        let groups =
            |indices: &[usize]| indices.iter().filter_map(|&i| records[i].group.clone()).collect::<BTreeSet<String>>();
        let parts = splits.parts();
        assert_eq!(parts.iter().map(|(_, of)| of.len()).sum::<usize>(), records.len());
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            assert!(groups(parts[a].1).is_disjoint(&groups(parts[b].1)), "seed {seed}");
        }
        for (split, indices) in parts {
            assert_eq!(per_label(&records, indices).len(), 6, "{split:?} lacks a class, seed {seed}");
        }
        let share = splits.test.len() as f64 / records.len() as f64;
        assert!((0.2..0.4).contains(&share), "{share}");
    }
}

#[test]
fn one_tree_needs_a_split_and_gets_a_stratified_one() {
    let records: Vec<_> = (0..40).map(|i| record(i, i % 2, None, None)).collect();
    let message = assign(&records, &names(2), &SplitSettings::default()).expect_err("no split").to_string();
    assert!(message.contains("40 of 40") && message.contains("data.split"), "{message}");
    let test = |test| SplitSettings { test: taken(test, 1), ..SplitSettings::default() };
    let splits = assign(&records, &names(2), &test(0.25)).expect("splits");
    assert_eq!(per_label(&records, &splits.test), BTreeMap::from([(0, 5), (1, 5)]));
    assert_eq!(splits.train.len(), 30);
    let untested = assign(&records, &names(2), &test(0.0)).expect("splits");
    assert_eq!((untested.train.len(), untested.test.len()), (40, 0));
    assert!(untested.notes[0].contains("data.split.test = 0: there are no test images"), "{:?}", untested.notes);
    assert!(assign(&records, &names(2), &test(1.0)).is_err());
}

#[test]
fn the_data_sets_own_parts_win_and_this_is_said() {
    let mut records = uneven();
    records[0].split = Some(Split::Validation);
    let settings = SplitSettings { test: taken(0.5, 0), ..validation(0.25, 0) };
    let splits = assign(&records, &names(3), &settings).expect("splits");
    assert_eq!((splits.validation.as_slice(), splits.test.len()), ([0].as_slice(), 3));
    assert_eq!(splits.notes.len(), 2);
}

#[test]
fn what_is_too_small_is_named() {
    let single = [record(0, 0, None, None), record(1, 1, None, None), record(2, 1, None, None)];
    let settings = SplitSettings { test: taken(0.5, 0), ..SplitSettings::default() };
    let message = assign(&single, &names(2), &settings).expect_err("one image").to_string();
    assert!(message.contains("`species 0`") && !message.contains("species 1"), "{message}");
    let one_plant: Vec<_> = (0..8).map(|i| record(i, i / 4, Some(if i < 4 { 0 } else { i }), None)).collect();
    let message = assign(&one_plant, &names(2), &settings).expect_err("one plant").to_string();
    assert!(message.contains("no group of class `species 0`"), "{message}");
    let both = ValidationSettings { fraction: Some(0.5), per_class: Some(1), seed: 0 };
    let with = |validation| SplitSettings { validation, ..SplitSettings::default() };
    assert!(assign(&uneven(), &names(3), &with(both)).is_err());
    let neither = assign(&uneven(), &names(3), &with(ValidationSettings::default())).expect("splits");
    assert!(neither.validation.is_empty());
}
