//! `mga data` from outside: making, checking and splitting.

use std::path::Path;
use std::process::{Command, Output};

// `cfg(test)` tells clippy that it may unwrap.
#[cfg(test)]
fn mga(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mga")).current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const MADE: &str = "\
[data]
dataset = \"image-folder\"
root = \"leaves\"
mask_root = \"masks\"
validation.fraction = 0.34
[model]
backbone = \"resnet18\"
";

/// A folder with an experiment on leaves that were written to disk.
#[cfg(test)]
fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--set", "size=32", "--set", "train_per_class=3", "--set", "test_per_class=1"];
    let made = mga(folder.path(), &[&["data", "make", "--dataset", "leaves", "--out", "leaves"], &small[..]].concat());
    assert_eq!(text(&made.stdout), "leaves: 40 images, 40 masks (`veins`)\n", "{}", text(&made.stderr));
    std::fs::write(folder.path().join("made.toml"), MADE).unwrap();
    folder
}

#[test]
fn what_was_made_passes_the_check() {
    let folder = made();
    let check = mga(folder.path(), &["data", "check", "made.toml", "--json"]);
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));
    let report: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!((&report["images"], &report["masks"]["images"]), (&40.into(), &40.into()));
    assert_eq!(report["classes"][0]["validation"], 1);
    assert_eq!(report["problems"], serde_json::json!([]));
    let again = mga(folder.path(), &["data", "make", "--dataset", "leaves", "--out", "leaves"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("not empty"), "{}", text(&again.stderr));
}

#[test]
fn problems_are_listed_and_fail_the_check() {
    let folder = made();
    let leaves = folder.path().join("leaves");
    let train = leaves.join("train/cultivar-00/0000.png");
    std::fs::copy(&train, leaves.join("test/cultivar-00/copy.png")).unwrap();
    let check = mga(folder.path(), &["data", "check", "made.toml"]);
    assert_eq!(check.status.code(), Some(1), "{}", text(&check.stderr));
    let report = text(&check.stdout);
    assert!(report.contains("the same image on both sides of a split"), "{report}");
    assert!(text(&check.stderr).contains("problems with the data"), "{}", text(&check.stderr));
}

#[test]
fn a_training_image_without_mask_is_a_problem_unless_it_is_meant() {
    let folder = made();
    // Without validation images, every one of them trains.
    let text_ = MADE.replace("validation.fraction = 0.34\n", "") + "[eval]\nselect_on = \"last\"\n";
    std::fs::write(folder.path().join("made.toml"), text_).unwrap();
    std::fs::remove_file(folder.path().join("leaves/masks/train/cultivar-01/0001.png")).unwrap();
    let check = mga(folder.path(), &["data", "check", "made.toml"]);
    assert_eq!(check.status.code(), Some(1));
    let report = text(&check.stdout);
    assert!(report.contains("1 training images have no mask") && report.contains("cultivar-01/0001"), "{report}");
    let meant = mga(folder.path(), &["data", "check", "made.toml", "--set", "data.masks.missing=no-loss"]);
    assert_eq!(meant.status.code(), Some(0), "{}", text(&meant.stderr));
}

#[test]
fn tables_are_folded_once() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..20).map(|i| format!("{i}.png,{},{}\n", i % 2, i / 2)).collect();
    std::fs::write(folder.path().join("all.csv"), "file,label,plant\n".to_owned() + &rows).unwrap();
    let split = ["data", "split", "all.csv", "--out", "folds.csv", "--group", "plant", "--stratify", "label"];
    let first = mga(folder.path(), &[&split[..], &["--repeats", "2"]].concat());
    assert_eq!(text(&first.stdout), "folds.csv: 20 rows in 5 folds, 2 times\n", "{}", text(&first.stderr));
    let table = std::fs::read_to_string(folder.path().join("folds.csv")).unwrap();
    assert!(table.starts_with("file,label,plant,repeat_0,repeat_1\n"), "{table}");
    let again = mga(folder.path(), &split);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(folder.path().join("folds.csv")).unwrap(), table);
}

#[test]
fn folds_of_a_table_as_spreadsheets_write_it_name_the_table_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..20).map(|i| format!("{i}.png;{};x{}{}\r\n", i % 2, i / 2, [" ", ""][i % 2])).collect();
    std::fs::write(folder.path().join("all.csv"), "\u{feff}file;label;plant\r\n".to_owned() + &rows).unwrap();
    let split = ["data", "split", "all.csv", "--group", "plant", "--stratify", "label"];
    let made = mga(folder.path(), &[&split[..], &["--out", "folds.csv"]].concat());
    assert_eq!(text(&made.stdout), "folds.csv: 20 rows in 5 folds, 1 times\n", "{}", text(&made.stderr));
    let table = std::fs::read_to_string(folder.path().join("folds.csv")).unwrap();
    let fold = |line: &str| line.rsplit(';').next().map(str::to_owned);
    let folds: Vec<_> = table.lines().skip(1).map(fold).collect();
    assert!(folds.chunks(2).all(|plant| plant[0] == plant[1]), "{table}");
    let set = mga(folder.path(), &[&split[..], &["--out", "again.csv", "--delimiter", ";"]].concat());
    assert_eq!(set.status.code(), Some(0), "{}", text(&set.stderr));
    for (arguments, part) in [
        (&["--group", "plant", "--folds", "11"][..], "all.csv: 11 folds need as many groups"),
        (&["--group", "x"], "all.csv: has no column `x` (--group); its columns are: file, label, plant"),
    ] {
        let refused = mga(folder.path(), &[&["data", "split", "all.csv", "--out", "no.csv"][..], arguments].concat());
        assert!(text(&refused.stderr).contains(part), "{}", text(&refused.stderr));
    }
}

#[test]
fn a_wrong_command_line_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["data", "make", "--out", "x"][..],
        &["data", "make", "--out", "x", "--dataset", "leafs"],
        &["data", "make", "--out", "x", "--dataset", "mganet"],
        &["data", "make", "--out", "x", "--dataset", "leaves", "--set", "cultivars"],
        &["data", "check", "no-such-file.toml"],
    ] {
        let refused = mga(folder.path(), arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {}", text(&refused.stderr));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn every_part_has_help_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["check", "split", "make"] {
        let help = mga(folder.path(), &["data", part, "--help"]);
        assert!(text(&help.stdout).contains(&format!("  mga data {part} ")), "{part}");
    }
}
