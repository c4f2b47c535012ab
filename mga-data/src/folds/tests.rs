//! Folds of tables: who lands where, and what is refused.

use std::collections::{BTreeMap, BTreeSet};

use std::fs;

use mga_core::random::Generator;

use super::k_folds::repair;
use super::*;

fn settings(folds: usize, repeats: usize) -> FoldSettings {
    FoldSettings { folds, repeats, seed: 3, group: None, stratify: None }
}

fn words(of: impl Iterator<Item = usize>) -> Vec<String> {
    of.map(|i| format!("v{i}")).collect()
}

#[test]
fn without_groups_every_fold_has_its_share_of_every_class() {
    // Classes of 5, 10, 15 and 20 rows in five folds: 1, 2, 3 and 4 a fold exactly.
    let labels = words((0..50).map(|i| {
        if i < 5 {
            0
        } else if i < 15 {
            1
        } else if i < 30 {
            2
        } else {
            3
        }
    }));
    let folds = k_folds(50, Some(&labels), None, &settings(5, 3)).expect("folds");
    assert_eq!(folds.notes, Vec::<String>::new());
    for repeat in &folds.of {
        for fold in 0..5 {
            for (class, expected) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
                let rows = (0..50).filter(|&row| repeat[row] == fold && labels[row] == format!("v{class}"));
                assert_eq!(rows.count(), expected);
            }
        }
    }
    assert_ne!(folds.of[0], folds.of[1], "repeats differ");
    assert_eq!(folds, k_folds(50, Some(&labels), None, &settings(5, 3)).expect("folds"));
    let other = FoldSettings { seed: 4, ..settings(5, 3) };
    assert_ne!(folds, k_folds(50, Some(&labels), None, &other).expect("folds"));
}

#[test]
fn groups_stay_together_and_classes_stay_balanced() {
    // 4 classes of 15 plants with 1 to 5 images each.
    let mut labels = vec![];
    let mut groups = vec![];
    for plant in 0..60usize {
        for _ in 0..1 + plant / 4 % 5 {
            labels.push(plant % 4);
            groups.push(plant);
        }
    }
    let (labels, groups) = (words(labels.into_iter()), words(groups.into_iter()));
    let rows = labels.len();
    let folds = k_folds(rows, Some(&labels), Some(&groups), &settings(5, 2)).expect("folds");
    for repeat in &folds.of {
        let pairs: BTreeSet<_> = (0..rows).map(|row| (&groups[row], repeat[row])).collect();
        assert_eq!(pairs.len(), 60, "a plant is in two folds");
        for class in 0..4 {
            for fold in 0..5 {
                let count = (0..rows).filter(|&r| repeat[r] == fold && labels[r] == format!("v{class}")).count();
                assert!((8..=10).contains(&count), "{count} of 45 in five folds");
            }
        }
    }
}

#[test]
fn what_is_too_small_is_named() {
    let labels = words([0, 0, 0, 1, 1, 1].into_iter());
    let groups = words([0, 1, 2, 3, 3, 3].into_iter());
    let message = k_folds(6, Some(&labels), Some(&groups), &settings(2, 1)).expect_err("one plant").to_string();
    assert!(message.contains("`v1` (1)") && !message.contains("v0"), "{message}");
    let message = k_folds(6, None, Some(&groups), &settings(5, 1)).expect_err("four plants").to_string();
    assert!(message.contains("5 folds need as many groups, there are 4"), "{message}");
    let folds = k_folds(6, Some(&labels), None, &settings(4, 1)).expect("folds");
    assert!(folds.notes[0].contains("`v0` (3), `v1` (3)"), "{:?}", folds.notes);
    assert!(k_folds(6, None, None, &settings(1, 1)).is_err());
    assert!(k_folds(6, None, None, &settings(2, 0)).is_err());
    assert!(k_folds(0, None, None, &settings(2, 1)).is_err());
}

#[test]
fn a_table_keeps_its_columns_and_gains_the_folds() {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
    let mut text = "file,label,plant,remark\n".to_owned();
    for i in 0..20 {
        let plant = if i < 2 { String::new() } else { format!("p{}", i / 2) };
        text += &format!("{i}.png,{},{plant},\"a, b\"\n", i % 2);
    }
    fs::write(&input, text).expect("written");
    let column = |name: &str| Some(name.to_owned());
    let settings = FoldSettings { group: column("plant"), stratify: column("label"), ..settings(4, 2) };
    let folds = write_folds(&input, &output, &RowSettings::default(), &settings).expect("folds");
    let mut reader = csv::Reader::from_path(&output).expect("a table");
    let headers = ["file", "label", "plant", "remark", "repeat_0", "repeat_1"];
    assert_eq!(reader.headers().expect("headers"), &csv::StringRecord::from(headers.to_vec()));
    let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 20);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!((&row[0], &row[3]), (format!("{i}.png").as_str(), "a, b"));
        assert_eq!(row[5], folds.of[1][i].to_string());
    }
    assert!(rows[2..].chunks(2).all(|pair| pair[0][4] == pair[1][4]));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "no temporary file is left");

    let again =
        write_folds(&output, &input, &RowSettings::default(), &settings).expect_err("already folded").to_string();
    assert!(again.contains("repeat_0"), "{again}");
    let missing = FoldSettings { group: column("plants"), ..settings };
    let message =
        write_folds(&input, &output, &RowSettings::default(), &missing).expect_err("no such column").to_string();
    assert!(message.contains("`plants`") && message.contains("file, label, plant, remark"), "{message}");
}

#[test]
fn cells_are_trimmed_so_that_no_plant_leaks() {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
    let mut text = "\u{feff}file;label;plant\r\n".to_owned();
    for i in 0..40 {
        // Every second image of a plant has a blank behind its plant, and some a no-break space.
        let blank = ["", " ", "", "\u{a0}"][i % 4];
        text += &format!("{i}.png;{};x{}{blank}\r\n", i / 2 % 2, i / 2);
    }
    fs::write(&input, text).expect("written");
    let column = |name: &str| Some(name.to_owned());
    let settings = FoldSettings { group: column("plant"), stratify: column("label"), ..settings(5, 1) };
    let folds = write_folds(&input, &output, &RowSettings::default(), &settings).expect("folds");
    assert!(folds.of[0].chunks(2).all(|plant| plant[0] == plant[1]), "{:?}", folds.of);
    let written = fs::read_to_string(&output).expect("a table");
    assert!(written.starts_with("file;label;plant;repeat_0\n0.png;0;x0;"), "{written}");
}

#[test]
fn what_is_odd_in_a_table_is_told_and_errors_name_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
    let column = |name: &str| Some(name.to_owned());
    let settings = FoldSettings { group: column("plant"), stratify: column("label"), ..settings(2, 1) };
    let said = |text: &str| {
        fs::write(&input, text).expect("written");
        write_folds(&input, &output, &RowSettings::default(), &settings)
            .map(|folds| folds.notes.join("\n"))
            .map_err(|e| e.to_string())
    };
    let notes = said("plant,label\nP1,oak\np1,Oak\n,oak\n,Oak\nP2,\nP3,\n").expect("folds");
    for part in [
        "in.csv: 2 of 6 rows have no `plant`: each is",
        "2 of 6 rows have no `label`",
        "`Oak` and `oak`",
        "`P1` and `p1`",
    ] {
        assert!(notes.contains(part), "{part} in: {notes}");
    }
    for (text, part) in [
        ("plant,label\n1,a\n", "in.csv: 2 folds need as many groups"),
        ("plant,label\n1,a\n2\n3,b,c\n", "in.csv: line 3 has 1 cells"),
        ("plant,label\n1,caf\n\"2\n3\",a\n", "cell of several lines"),
    ] {
        let message = said(text).expect_err("no table to fold");
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_fold_does_not_take_all_of_a_class() {
    // By hand: stratum 0 lies whole in fold 0; group 1 can leave, group 0 would bring all of stratum 2 into fold 1.
    let counts = [
        BTreeMap::from([(0, 1), (2, 2)]),
        BTreeMap::from([(0, 1), (1, 1)]),
        BTreeMap::from([(1, 3)]),
        BTreeMap::from([(2, 2)]),
    ];
    let mut fold_of = vec![0, 0, 0, 1];
    assert_eq!(repair(&mut fold_of, &counts, &[2, 4, 4], 2), []);
    assert_eq!(fold_of, [0, 1, 0, 1]);
    // What is sound stays as it is.
    assert_eq!(repair(&mut fold_of, &counts, &[2, 4, 4], 2), []);
    assert_eq!(fold_of, [0, 1, 0, 1]);
    // Either group of stratum 0 would leave another stratum whole in fold 1.
    let counts = [
        BTreeMap::from([(0, 1), (1, 1)]),
        BTreeMap::from([(0, 1), (2, 1)]),
        BTreeMap::from([(1, 1)]),
        BTreeMap::from([(2, 1)]),
    ];
    let mut fold_of = vec![0, 0, 1, 1];
    assert_eq!(repair(&mut fold_of, &counts, &[2, 2, 2], 2), [(0, 0)]);
    assert_eq!(fold_of, [0, 0, 1, 1]);
}

#[test]
fn every_training_part_has_every_class_or_the_class_is_named() {
    // Plants that carry several classes each, few of them: placed by balance alone, some folds would take a class whole.
    for seed in 0..200 {
        let mut draw = Generator::new(seed, "plants", &[]);
        let rows = 24;
        let groups = words((0..rows).map(|_| draw.below(6)));
        let labels = words((0..rows).map(|_| draw.below(5)));
        let Ok(folds) = k_folds(rows, Some(&labels), Some(&groups), &FoldSettings { seed, ..settings(3, 2) }) else {
            continue;
        };
        for (repeat, fold) in (0..2).flat_map(|repeat| (0..3).map(move |fold| (repeat, fold))) {
            let of = |trained: bool| -> BTreeSet<&String> {
                let rows = (0..rows).filter(|&row| (folds.of[repeat][row] != fold) == trained);
                rows.map(|row| &labels[row]).collect()
            };
            for class in of(false).difference(&of(true)) {
                let told = format!("repeat {repeat}: fold {fold} tests every image of `{class}`");
                assert!(folds.notes.iter().any(|note| note.starts_with(&told)), "{told} in {:?}", folds.notes);
            }
        }
    }
}
