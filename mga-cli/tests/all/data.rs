//! `mga data` from outside: making, checking and splitting.

use std::collections::BTreeMap;
use std::path::Path;

use image::{RgbImage, imageops};
use mga_testing::files::column;
use mga_testing::pictures::{left_half, picture, waves};
use mga_testing::place::Place;
use mga_testing::process::text;
use serde_json::Value;

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

/// Two images of each of six plants of two species, in one folder, and one image of no plant.
fn named(folder: &Place) {
    for (species, name) in ["oak", "ash"].iter().enumerate() {
        for image in 0..12 {
            let name = format!("photographs/{name}_{:02}_{}.png", image / 2, image % 2);
            leaf(&folder.path(&name), (100 * species + image) as u64, |leaf| leaf);
        }
    }
}

/// A picture of waves, changed by `change`.
fn leaf(path: &Path, number: u64, change: impl Fn(RgbImage) -> RgbImage) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    change(waves(number)).save(path).unwrap();
}

/// The fold of every file of a table, by the file's name.
fn folds(table: &str) -> BTreeMap<String, String> {
    column(table, "file").into_iter().zip(column(table, "repeat_0")).collect()
}

const BY_NAME: &str = r"(?P<class>[A-Za-z]+)_(?P<plant>\d+)";

#[test]
fn a_folder_is_folded_by_the_names_of_its_images() {
    let folder = place();
    named(&folder);
    let split = ["data", "split", "photographs", "--out", "folds.csv", "--label", BY_NAME, "--folds", "3"];
    assert_eq!(folder.done(&split), "folds.csv: 24 images in 3 folds, 1 time\n");
    let table = folder.read("folds.csv");
    assert!(table.starts_with("file,label,group,repeat_0\nphotographs/ash_00_0.png,ash,ash/00,"), "{table}");
    let of = folds(&table);
    for species in ["oak", "ash"] {
        for plant in 0..6 {
            let fold = |image| of[&format!("photographs/{species}_{plant:02}_{image}.png")].clone();
            assert_eq!(fold(0), fold(1), "{table}");
        }
        for fold in ["0", "1", "2"] {
            assert_eq!(of.iter().filter(|(file, of)| file.contains(species) && *of == fold).count(), 4, "{table}");
        }
    }
    // An experiment reads it as it is.
    folder.write("folded.toml", FOLDED);
    assert!(folder.done(&["check", "folded.toml"]).contains("8 test images"));

    // Names that do not match are all counted, and go only if that is said.
    for number in 0..12 {
        leaf(&folder.path(&format!("photographs/scan{number}.png")), 500 + number, |leaf| leaf);
    }
    let split = ["data", "split", "photographs", "--out", "again.csv", "--label", BY_NAME];
    let (refused, _) = folder.refused(&split);
    for part in ["scan0.png: `--label` does not match this name", "and 2 more images whose names", "--skip-errors"] {
        assert!(refused.contains(part), "no `{part}` in {refused}");
    }
    assert!(!folder.path("again.csv").exists());
    let output = folder.output(&[&split[..], &["--skip-errors"]].concat());
    assert_eq!(text(&output.stdout), "again.csv: 24 images in 5 folds, 1 time\n", "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("left out: ") && text(&output.stderr).contains("scan0.png"));
}

const FOLDED: &str = "\
[data]
dataset = \"table\"
file = \"folds.csv\"
fold = \"0.1\"
[model]
backbone = \"conv4\"
attention = \"none\"
mask_guidance = false
[eval]
select_on = \"last\"
";

#[test]
fn a_folder_is_folded_by_its_folders_of_classes_with_their_masks() {
    let folder = place();
    for (class, name) in ["oak", "ash"].iter().enumerate() {
        for image in 0..6 {
            picture(&folder.path(&format!("photographs/{name}/{image}.png")), (30 * image + 10 * class) as u8);
            left_half(&folder.path(&format!("photographs/masks/{name}/{image}.png")));
        }
    }
    assert_eq!(
        folder.done(&["data", "split", "photographs", "--out", "folds.csv", "--folds", "2"]),
        "folds.csv: 12 images in 2 folds, 1 time\n"
    );
    let table = folder.read("folds.csv");
    let first = "file,label,mask,repeat_0\nphotographs/ash/0.png,ash,photographs/masks/ash/0.png,";
    assert!(table.starts_with(first), "{table}");
    folder.write("folded.toml", FOLDED);
    folder.done(&["check", "folded.toml"]);
    // What only tables have is not passed over in silence; nor is a folder without classes.
    let (refused, _) = folder.refused(&["data", "split", "photographs", "--out", "no.csv", "--group", "plant"]);
    assert!(refused.contains("--group") && refused.contains("a folder has none"), "{refused}");
    let (refused, _) = folder.refused(&["data", "split", "photographs/oak", "--out", "no.csv"]);
    assert!(refused.contains("no folders of classes") && refused.contains("--label"), "{refused}");
}

#[test]
fn a_table_is_folded_by_the_names_of_its_files() {
    let folder = place();
    let rows: String = (0..20).map(|i| format!("in/{}_{}_{i}.png,{i}\n", ["oak", "ash"][i % 2], i / 4)).collect();
    folder.write("all.csv", "file,remark\n".to_owned() + &rows);
    let split = ["data", "split", "all.csv", "--label", BY_NAME, "--out"];
    folder.done(&[&split[..], &["folds.csv"]].concat());
    let table = folder.read("folds.csv");
    assert!(table.starts_with("file,remark,label,group,repeat_0\nin/oak_0_0.png,0,oak,oak/0,"), "{table}");
    let of = folds(&table);
    assert_eq!(of["in/oak_0_0.png"], of["in/oak_0_2.png"]);
    // A column that is there already is not written over, and rows that do not match are told.
    folder.write("labelled.csv", "file,label\noak_1.png,x\n");
    let (refused, _) = folder.refused(&["data", "split", "labelled.csv", "--label", BY_NAME, "--out", "no.csv"]);
    assert!(refused.contains("labelled.csv: column `label` is already there"), "{refused}");
    folder.write("odd.csv", "file,remark\n".to_owned() + &rows + "scan.png,21\n");
    let (refused, _) = folder.refused(&["data", "split", "odd.csv", "--label", BY_NAME, "--out", "no.csv"]);
    assert!(refused.contains("odd.csv: line 22: `--label` does not match the name `scan.png`"), "{refused}");
    let skipped =
        folder.output(&["data", "split", "odd.csv", "--label", BY_NAME, "--out", "skipped.csv", "--skip-errors"]);
    assert_eq!(text(&skipped.stdout), "skipped.csv: 20 rows in 5 folds, 1 time\n");
    assert!(text(&skipped.stderr).contains("left out: odd.csv: line 22"), "{}", text(&skipped.stderr));
}

#[test]
fn images_that_look_alike_are_written_as_groups_and_stay_together() {
    let folder = place();
    named(&folder);
    // A mirrored and a turned copy, which join two plants and an image of its own.
    leaf(&folder.path("photographs/oak_06_0.png"), 2, |leaf| imageops::flip_horizontal(&leaf));
    leaf(&folder.path("photographs/oak_07_0.png"), 4, |leaf| imageops::rotate90(&leaf));
    folder.done(&["data", "split", "photographs", "--out", "folds.csv", "--label", BY_NAME, "--folds", "3"]);
    folder.write("folded.toml", FOLDED);
    let checked = folder.output(&["data", "check", "folded.toml", "--groups-out", "alike.csv"]);
    assert!(
        text(&checked.stderr).contains("alike.csv: 4 images that look alike, in 2 groups"),
        "{}",
        text(&checked.stderr)
    );
    let alike = folder.read("alike.csv");
    let expected = "file,group\nphotographs/oak_01_0.png,alike-1\nphotographs/oak_06_0.png,alike-1\n\
                    photographs/oak_02_0.png,alike-2\nphotographs/oak_07_0.png,alike-2\n";
    assert_eq!(alike, expected);
    let again = folder.refused(&["data", "check", "folded.toml", "--groups-out", "alike.csv"]).0;
    assert!(again.contains("alike.csv: already exists"), "{again}");

    let split = ["data", "split", "photographs", "--label", BY_NAME, "--folds", "3", "--keep-together", "alike.csv"];
    let kept = folder.output(&[&split[..], &["--out", "kept.csv"]].concat());
    assert!(kept.status.success(), "{}", text(&kept.stderr));
    assert!(text(&kept.stderr).contains("column `kept_together` holds what stays together"), "{}", text(&kept.stderr));
    let of = folds(&folder.read("kept.csv"));
    let fold = |name: &str| of[&format!("photographs/{name}.png")].clone();
    // Directly, and by way of the plants.
    for (one, other) in [("oak_06_0", "oak_01_0"), ("oak_06_0", "oak_01_1"), ("oak_07_0", "oak_02_1")] {
        assert_eq!(fold(one), fold(other), "{one} {other}");
    }
    // The same for a table, whose own groups are joined with them; a table of other files is a mistake.
    folder.write(
        "rows.csv",
        "file,label,plant\n".to_owned()
            + &(0..12).map(|i| format!("oak_{:02}_{}.png,{},p{i}\n", i / 2, i % 2, i % 2)).collect::<String>()
            + "oak_06_0.png,0,p12\noak_07_0.png,1,p13\n",
    );
    let rows = ["data", "split", "rows.csv", "--group", "plant", "--stratify", "label", "--folds", "3"];
    folder.done(&[&rows[..], &["--keep-together", "alike.csv", "--out", "joined.csv"]].concat());
    let of = folds(&folder.read("joined.csv"));
    assert_eq!((&of["oak_06_0.png"], &of["oak_07_0.png"]), (&of["oak_01_0.png"], &of["oak_02_0.png"]));
    assert!(folder.read("joined.csv").starts_with("file,label,plant,group,repeat_0\n"));
    folder.write("other.csv", "file,group\nx.png,1\n");
    let refused = folder.refused(&[&rows[..], &["--keep-together", "other.csv", "--out", "no.csv"]].concat()).0;
    assert!(refused.contains("other.csv: none of its 1 files is in rows.csv"), "{refused}");
}

#[test]
fn every_fold_of_every_repeat_is_looked_at_in_one_call() {
    let folder = place();
    named(&folder);
    let split = ["data", "split", "photographs", "--out", "folds.csv", "--label", BY_NAME, "--folds", "3"];
    folder.done(&[&split[..], &["--repeats", "2"]].concat());
    folder.write("folded.toml", FOLDED);
    let summary = folder.done(&["data", "check", "folded.toml"]);
    assert!(summary.starts_with("6 settings of the data, of up to 24 images"), "{summary}");
    for fold in ["0.0", "0.1", "0.2", "1.0", "1.1", "1.2"] {
        let line = summary.lines().find(|line| line.trim_start().starts_with(&format!("data.fold = {fold} ")));
        let cells: Vec<&str> = line.unwrap_or_else(|| panic!("{summary}")).split_whitespace().skip(3).collect();
        assert_eq!(cells, ["16", "0", "8", "0", "0"], "{summary}");
    }
    assert!(summary.contains("0 problems"), "{summary}");

    // A copy under the name of another plant is on both sides of some folds and not of others.
    std::fs::copy(folder.path("photographs/oak_00_0.png"), folder.path("photographs/oak_05_0.png")).unwrap();
    let (said, status) = folder.refused(&["data", "check", "folded.toml", "--json"]);
    let json: Value = serde_json::from_str(&said[said.find('{').unwrap()..]).unwrap();
    let of = folds(&folder.read("folds.csv"));
    let apart = of["photographs/oak_00_0.png"] != of["photographs/oak_05_0.png"];
    assert_eq!(status, Some(1));
    let settings = json["settings"].as_array().unwrap();
    assert_eq!(settings.len(), 6);
    for setting in settings {
        let name = setting["name"].as_str().unwrap();
        let fold = name.rsplit('.').next().unwrap();
        let tested =
            [&of["photographs/oak_00_0.png"], &of["photographs/oak_05_0.png"]].iter().filter(|of| **of == fold).count();
        if name.contains("0.") && apart {
            assert_eq!(setting["problems"].as_array().unwrap().len(), usize::from(tested == 1), "{setting}");
        }
    }
    assert!(!json["problems"].as_array().unwrap().is_empty());
}

#[test]
fn the_data_of_a_sweep_are_looked_at_once_each_and_before_it_starts() {
    let folder = place();
    named(&folder);
    folder.done(&["data", "split", "photographs", "--out", "folds.csv", "--label", BY_NAME, "--folds", "3"]);
    folder.write("folded.toml", format!("device = \"cpu\"\nthreads = 1\n{FOLDED}[schedule]\nepochs = 1\n"));
    folder.write("sweep.toml", "base = \"folded.toml\"\n[axes]\n\"data.fold\" = [\"0.0\", \"0.1\"]\nseed = [1, 2]\n");
    let summary = folder.done(&["data", "check", "sweep.toml"]);
    // Two folds are swept over, and the table has a third.
    assert!(summary.starts_with("3 settings of the data, of up to 24 images"), "{summary}");
    let output = folder.output(&["sweep", "sweep.toml", "--out", "swept", "--dry-run"]);
    let line = "data: 2 settings looked at without decoding: no problem, no note; all: mga data check sweep.toml";
    assert!(text(&output.stderr).contains(line), "{}", text(&output.stderr));

    let of = folds(&folder.read("folds.csv"));
    let tested = |fold: &str| of.iter().find(|(_, of)| *of == fold).map(|(file, _)| file.clone()).unwrap();
    std::fs::copy(folder.path(&tested("0")), folder.path(&tested("1"))).unwrap();
    let (refused, status) = folder.refused(&["sweep", "sweep.toml", "--out", "swept"]);
    assert_eq!(status, Some(1), "{refused}");
    for part in
        ["with the data", "the same image on both sides of a split", "mga data check sweep.toml", "--no-data-check"]
    {
        assert!(refused.contains(part), "no `{part}` in {refused}");
    }
    assert!(!folder.path("swept").exists());
    folder.done(&["sweep", "sweep.toml", "--out", "swept", "--no-data-check", "--quiet"]);
    // A sweep that has begun goes on.
    folder
        .write("sweep.toml", "base = \"folded.toml\"\n[axes]\n\"data.fold\" = [\"0.0\", \"0.1\"]\nseed = [1, 2, 3]\n");
    let output = folder.output(&["sweep", "sweep.toml", "--out", "swept", "--quiet"]);
    assert!(
        output.status.success() && text(&output.stderr).contains("the sweep has begun"),
        "{}",
        text(&output.stderr)
    );

    // What was found is told with the methods once it is recorded, and is not before.
    let methods = || {
        folder.done(&["report", "swept", "--out", "report"]);
        folder.read("report/methods.md")
    };
    assert!(!methods().contains("Perceptual hashes"));
    let (_, status) = folder.refused(&["data", "check", "sweep.toml", "--record", "swept"]);
    assert_eq!(status, Some(1), "the copy is a problem");
    let told = methods();
    assert!(told.contains("Perceptual hashes of all 24 images") && told.contains("1 set of images has"), "{told}");
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
