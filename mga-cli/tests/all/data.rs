//! `mga data` from outside: making, checking and splitting.

use mga_testing::place::Place;
use mga_testing::process::text;

use super::place;

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
fn made() -> Place {
    let place = place();
    assert_eq!(place.make_leaves("leaves", 32, 3, 1), "leaves: 40 images, 40 masks (`veins`)\n");
    place.write("made.toml", MADE);
    place
}

#[test]
fn what_was_made_passes_the_check() {
    let folder = made();
    let check = folder.output(&["data", "check", "made.toml", "--json"]);
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));
    let report: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!((&report["images"], &report["masks"]["images"]), (&40.into(), &40.into()));
    assert_eq!(report["classes"][0]["validation"], 1);
    assert_eq!(report["problems"], serde_json::json!([]));
    let again = folder.output(&["data", "make", "--dataset", "leaves", "--out", "leaves"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("not empty"), "{}", text(&again.stderr));
}

#[test]
fn problems_are_listed_and_fail_the_check() {
    let folder = made();
    let leaves = folder.path("leaves");
    let train = leaves.join("train/cultivar-00/0000.png");
    std::fs::copy(&train, leaves.join("test/cultivar-00/copy.png")).unwrap();
    let check = folder.output(&["data", "check", "made.toml"]);
    assert_eq!(check.status.code(), Some(1), "{}", text(&check.stderr));
    let report = text(&check.stdout);
    assert!(report.contains("the same image on both sides of a split"), "{report}");
    assert!(text(&check.stderr).contains("1 problem with the data"), "{}", text(&check.stderr));
}

#[test]
fn a_training_image_without_mask_is_a_problem_unless_it_is_meant() {
    let folder = made();
    // Without validation images, every one of them trains.
    let text_ = MADE.replace("validation.fraction = 0.34\n", "") + "[eval]\nselect_on = \"last\"\n";
    folder.write("made.toml", text_);
    std::fs::remove_file(folder.path("leaves/masks/train/cultivar-01/0001.png")).unwrap();
    let check = folder.output(&["data", "check", "made.toml"]);
    assert_eq!(check.status.code(), Some(1));
    let report = text(&check.stdout);
    assert!(report.contains("1 training image without a mask") && report.contains("cultivar-01/0001"), "{report}");
    let meant = folder.output(&["data", "check", "made.toml", "--set", "data.masks.missing=no-loss"]);
    assert_eq!(meant.status.code(), Some(0), "{}", text(&meant.stderr));
}

#[test]
fn tables_are_folded_once() {
    let folder = place();
    let rows: String = (0..20).map(|i| format!("{i}.png,{},{}\n", i % 2, i / 2)).collect();
    folder.write("all.csv", "file,label,plant\n".to_owned() + &rows);
    let split = ["data", "split", "all.csv", "--out", "folds.csv", "--group", "plant", "--stratify", "label"];
    let first = folder.output(&[&split[..], &["--repeats", "2"]].concat());
    assert_eq!(text(&first.stdout), "folds.csv: 20 rows in 5 folds, 2 times\n", "{}", text(&first.stderr));
    let table = folder.read("folds.csv");
    assert!(table.starts_with("file,label,plant,repeat_0,repeat_1\n"), "{table}");
    let again = folder.output(&split);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(folder.read("folds.csv"), table);
}

#[test]
fn folds_of_a_table_as_spreadsheets_write_it_name_the_table_in_errors() {
    let folder = place();
    let rows: String = (0..20).map(|i| format!("{i}.png;{};x{}{}\r\n", i % 2, i / 2, [" ", ""][i % 2])).collect();
    folder.write("all.csv", "\u{feff}file;label;plant\r\n".to_owned() + &rows);
    let split = ["data", "split", "all.csv", "--group", "plant", "--stratify", "label"];
    let made = folder.output(&[&split[..], &["--out", "folds.csv"]].concat());
    assert_eq!(text(&made.stdout), "folds.csv: 20 rows in 5 folds, 1 time\n", "{}", text(&made.stderr));
    let table = folder.read("folds.csv");
    let fold = |line: &str| line.rsplit(';').next().map(str::to_owned);
    let folds: Vec<_> = table.lines().skip(1).map(fold).collect();
    assert!(folds.chunks(2).all(|plant| plant[0] == plant[1]), "{table}");
    let set = folder.output(&[&split[..], &["--out", "again.csv", "--delimiter", ";"]].concat());
    assert_eq!(set.status.code(), Some(0), "{}", text(&set.stderr));
    for (arguments, part) in [
        (&["--group", "plant", "--folds", "11"][..], "all.csv: 11 folds need as many groups"),
        (&["--group", "x"], "all.csv: has no column `x` (--group); its columns are: file, label, plant"),
    ] {
        let refused = folder.output(&[&["data", "split", "all.csv", "--out", "no.csv"][..], arguments].concat());
        assert!(text(&refused.stderr).contains(part), "{}", text(&refused.stderr));
    }
}

#[test]
fn a_wrong_command_line_is_told_apart() {
    let folder = place();
    for arguments in [
        &["data", "make", "--out", "x"][..],
        &["data", "make", "--out", "x", "--dataset", "leafs"],
        &["data", "make", "--out", "x", "--dataset", "mganet"],
        &["data", "make", "--out", "x", "--dataset", "leaves", "--set", "cultivars"],
        &["data", "check", "no-such-file.toml"],
    ] {
        let refused = folder.output(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {}", text(&refused.stderr));
    }
    assert_eq!(std::fs::read_dir(folder.folder()).unwrap().count(), 0);
}

#[test]
fn every_part_has_help_with_an_example() {
    let folder = place();
    for part in ["check", "split", "make"] {
        let help = folder.output(&["data", part, "--help"]);
        assert!(text(&help.stdout).contains(&format!("  mga data {part} ")), "{part}");
    }
}
