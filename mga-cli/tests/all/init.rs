//! From a folder of photographs to a report: `init`, `check`, `sweep`, `report`, without a script and without an edit.

use image::{RgbImage, imageops};
use mga_testing::pictures::{left_half, picture, waves};
use mga_testing::place::Place;

use super::place;

/// Few epochs of small images, as a test wants them; the arms and folds stay.
const SHORT: [&str; 2] = ["schedule.epochs=1", "data.batch_size=8"];

/// A sweep of what was written, and its report.
fn swept(place: &Place, sweep: &str) -> String {
    let mut arguments = vec!["sweep", sweep, "--out", "swept"];
    SHORT.iter().for_each(|set| arguments.extend(["--set", set]));
    place.done(&arguments);
    place.done(&["report", "swept"])
}

/// Thirty-six photographs in one folder, two of each plant, and a table from a German spreadsheet: Windows line ends,
/// semicolons, decimal commas, backslashes, columns that are of no use, and masks in a column.
fn spreadsheet(place: &Place) {
    let mut table = "\u{feff}Nr;Datei;Maske;Sorte;Pflanze;Länge (cm)\r\n".to_owned();
    for number in 0..36 {
        let (sort, plant) = (["Müller-Thurgau", "Riesling"][number % 2], number / 4);
        let name = format!("IMG_{number:04}");
        picture(&place.path("photos").join(format!("2024/{name}.png")), (number * 7) as u8);
        left_half(&place.path("photos").join(format!("masks/{name}.png")));
        table += &format!("{number};2024\\{name}.png;masks\\{name}.png;{sort};{sort} {plant};{number},5\r\n");
    }
    place.write("photos/Blätter.csv", table);
}

#[test]
fn a_spreadsheet_with_plants_and_masks_becomes_a_cross_validated_report() {
    let place = place();
    spreadsheet(&place);
    let told = place.done(&["init", "photos", "--out", "grapes.toml"]);
    for line in [
        "data.columns.label = Sorte",
        "data.columns.group = Pflanze",
        "data.columns.mask = Maske",
        "classes: 2, of 18 to 18 images each, 36 in all",
        "groups: 18; images of one group are never on two sides of a split",
        "5-fold cross-validation: 36 images are too few for one test set",
        "a run of",
        "mga sweep grapes_sweep.toml",
    ] {
        assert!(told.contains(line), "no `{line}` in\n{told}");
    }
    let checked = place.done(&["check", "grapes.toml"]);
    assert!(checked.contains("masks: folder"), "{checked}");
    // Groups stay in one fold.
    let folds = place.read("grapes_folds.csv");
    let (groups, fold) = (mga_testing::files::column(&folds, "group"), mga_testing::files::column(&folds, "repeat_0"));
    let of: std::collections::BTreeMap<_, std::collections::BTreeSet<_>> =
        groups.iter().zip(&fold).fold(Default::default(), |mut of: std::collections::BTreeMap<_, _>, (group, fold)| {
            of.entry(group).or_insert_with(std::collections::BTreeSet::new).insert(fold);
            of
        });
    assert!(of.len() == 18 && of.values().all(|folds| folds.len() == 1), "{folds}");
    let report = swept(&place, "grapes_sweep.toml");
    for arm in ["plain (baseline)", "attention", "mga", "shuffled"] {
        assert!(report.contains(arm), "no {arm} in\n{report}");
    }
    assert!(report.contains("5 (5 folds)"), "{report}");
    // Names without their folder, and masks that the table does not name.
    let bare: String = place
        .read("photos/Blätter.csv")
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(';').collect();
            format!("{};{};{}\n", cells[1].trim_start_matches("2024\\"), cells[3], cells[4])
        })
        .collect();
    place.write("bare.csv", bare);
    let told = place.done(&["init", "photos", "--table", "bare.csv", "--out", "bare.toml"]);
    assert!(told.contains("data.image_root = 2024") && told.contains("masks has those of 36 of 36 images"), "{told}");
    place.done(&["check", "bare.toml"]);
    // Nothing is written twice.
    let (error, status) = place.refused(&["init", "photos", "--out", "grapes.toml"]);
    assert!(error.contains("grapes.toml: already exists") && status == Some(1), "{error}");
}

#[test]
fn labels_in_names_and_folders_of_classes_with_plants_are_found() {
    let place = place();
    for (number, sort) in ["oak", "ash", "elm"].into_iter().enumerate() {
        for image in 0..8 {
            let blue = (image * 30 + number) as u8;
            picture(&place.path("flat").join(format!("{sort}_{}_{image}.png", image / 2)), blue);
            picture(&place.path("folders/images").join(format!("{sort}/p{}_{}.png", image / 2, image % 2)), blue);
            left_half(&place.path("folders/masks").join(format!("{sort}/p{}_{}.png", image / 2, image % 2)));
        }
    }
    let told = place.done(&["init", "flat"]);
    assert!(told.contains("classes stand in the names") && told.contains("classes: 3, of 8 to 8"), "{told}");
    assert!(told.contains("groups: 12") && told.contains("4-fold cross-validation"), "{told}");
    assert!(told.contains("masks: none found"), "{told}");
    place.done(&["check", "flat.toml"]);
    assert!(!place.read("flat_sweep.toml").contains("shuffled"));

    let told = place.done(&["init", "folders"]);
    assert!(told.contains("masks of 24 of 24 images") && told.contains("groups: 12"), "{told}");
    place.done(&["check", "folders.toml"]);
    let report = swept(&place, "folders_sweep.toml");
    assert!(report.contains("shuffled") && report.contains("plain (baseline)"), "{report}");
}

#[test]
fn parts_of_the_data_are_kept_and_a_folder_of_nothing_is_refused() {
    let place = place();
    for part in ["train", "test"] {
        for (number, sort) in ["oak", "ash"].into_iter().enumerate() {
            // One class has three times the images of the other.
            for image in 0..if number == 0 { 12 } else { 4 } {
                let blue = (image * 16 + number * 5 + part.len()) as u8;
                picture(&place.path("parts").join(format!("{part}/{sort}/{image}.png")), blue);
            }
        }
    }
    let told = place.done(&["init", "parts"]);
    assert!(told.contains("split: the data's own training and test images, and a fifth"), "{told}");
    assert!(told.contains("objective.class_weights = balanced"), "{told}");
    place.done(&["check", "parts.toml"]);
    std::fs::create_dir(place.path("empty")).unwrap();
    let (error, _) = place.refused(&["init", "empty"]);
    assert!(error.contains("no data set recognises this folder"), "{error}");
    // Plants that lie in train and in test: the parts are not kept.
    for (part, sort, name) in ["train", "test"]
        .into_iter()
        .flat_map(|part| ["oak", "ash"].into_iter().flat_map(move |sort| (0..8).map(move |image| (part, sort, image))))
    {
        let blue = (name * 30 + part.len() * 3 + sort.len()) as u8;
        picture(&place.path("torn").join(format!("{part}/{sort}/p{}_{part}{name}.png", name / 2)), blue);
    }
    let told = place.done(&["init", "torn"]);
    assert!(told.contains("8 groups have images in several of the data's own parts"), "{told}");
    place.done(&["check", "torn.toml"]);
    // Photographs of a class that happens to be called mask, and masks within the folders of classes.
    for (sort, number) in ["mask", "no_mask"].into_iter().flat_map(|sort| (0..6).map(move |number| (sort, number))) {
        picture(&place.path("faces").join(format!("{sort}/{number}.png")), (number * 20 + sort.len()) as u8);
        picture(&place.path("inner").join(format!("{sort}/x/{number}.png")), (number * 20 + sort.len()) as u8);
        left_half(&place.path("inner").join(format!("{sort}/masks/{number}.png")));
    }
    assert!(place.done(&["init", "faces"]).contains("named: mask, no_mask"));
    let (error, _) = place.refused(&["init", "inner"]);
    assert!(error.contains("inner") && error.contains("masks lie within the folders of images"), "{error}");
    let (error, _) = place.refused(&["init", "faces", "--out", "faces/x.toml"]);
    assert!(error.contains("into the folder of the images"), "{error}");
    let (error, _) = place.refused(&["init", "nowhere"]);
    assert!(error.contains("nowhere: there is no such folder"), "{error}");
    // A table that is asked for says what it lacks.
    place.write("leaves.csv", "name;height\nx;1\ny;2\n");
    let (error, _) = place.refused(&["init", "parts", "--table", "leaves.csv", "--out", "other.toml"]);
    assert!(error.contains("leaves.csv") && error.contains("no column") && error.contains("name, height"), "{error}");
}

fn save(place: &Place, name: &str, image: &RgbImage) {
    let path = place.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

#[test]
fn copies_are_kept_together_in_the_folds_and_that_is_said() {
    let place = place();
    for (class, sort) in ["oak", "ash"].into_iter().enumerate() {
        for number in 0..8 {
            save(&place, &format!("leaves/{sort}/{number}.png"), &waves((20 * class + number) as u64));
        }
    }
    let told = place.done(&["init", "leaves", "--out", "unlike.toml"]);
    assert!(told.contains("near duplicates: none among 16 images"), "{told}");
    save(&place, "leaves/oak/mirrored.png", &imageops::flip_horizontal(&waves(0)));
    save(&place, "leaves/oak/turned.png", &imageops::rotate270(&waves(0)));
    save(&place, "leaves/ash/small.png", &imageops::resize(&waves(21), 24, 24, imageops::FilterType::Triangle));
    let told = place.done(&["init", "leaves"]);
    let line = "near duplicates: 5 of 19 images look alike, in 2 groups; each stays in one fold";
    assert!(told.contains(line) && told.contains("groups: none found"), "{told}");
    let table = place.read("leaves_folds.csv");
    let files = mga_testing::files::column(&table, "file");
    let folds = mga_testing::files::column(&table, "repeat_0");
    let fold = |name: &str| &folds[files.iter().position(|file| file.ends_with(name)).unwrap()];
    assert_eq!(fold("oak/mirrored.png"), fold("oak/0.png"), "{table}");
    assert_eq!(fold("oak/turned.png"), fold("oak/0.png"), "{table}");
    assert_eq!(fold("ash/small.png"), fold("ash/1.png"), "{table}");
    // The experiment knows the groups too: whole ones validate.
    assert!(place.done(&["check", "leaves.toml"]).contains("test images"));
    assert_eq!(mga_testing::files::column(&table, "group").iter().filter(|group| !group.is_empty()).count(), 5);
    // The table is found as the folder was given.
    assert!(place.read("leaves.toml").contains("\nfile = \"leaves_folds.csv\""), "{}", place.read("leaves.toml"));
    let folder = place.path("leaves").display().to_string();
    place.done(&["init", &folder, "--out", "whole.toml"]);
    let whole = place.path("whole_folds.csv").canonicalize().unwrap().display().to_string();
    assert!(place.read("whole.toml").contains(&whole), "{}", place.read("whole.toml"));
    let told = place.done(&["init", "leaves", "--out", "apart.toml", "--no-groups"]);
    assert!(!told.contains("near duplicates"), "{told}");
}

#[test]
fn images_that_are_all_alike_are_no_copies() {
    let place = place();
    for (sort, number) in ["oak", "ash"].into_iter().flat_map(|sort| (0..6).map(move |number| (sort, number))) {
        let brighter = imageops::brighten(&waves(1), 3 * number + i32::from(sort == "oak"));
        save(&place, &format!("alike/{sort}/{number}.png"), &brighter);
    }
    let told = place.done(&["init", "alike"]);
    assert!(told.contains("12 of 12 images look alike") && told.contains("not kept together"), "{told}");
    assert!(told.contains("5-fold cross-validation"), "{told}");
}

#[test]
fn no_groups_reaches_a_pattern_of_class_and_plant() {
    let place = place();
    for (sort, image) in ["oak", "ash"].into_iter().flat_map(|sort| (0..8).map(move |image| (sort, image))) {
        let number = image as u64 + if sort == "oak" { 0 } else { 100 };
        save(&place, &format!("flat/{sort}_{}_{image}.png", image / 2), &waves(number));
    }
    let told = place.done(&["init", "flat", "--out", "grouped.toml"]);
    assert!(told.contains("(?P<plant>") && told.contains("groups: 8"), "{told}");
    let told = place.done(&["init", "flat", "--no-groups"]);
    assert!(told.contains("(?P<class>") && !told.contains("(?P<plant>"), "{told}");
    assert!(told.contains("--no-groups takes no images to belong together") && told.contains("groups: none"), "{told}");
    assert!(!place.read("flat_folds.csv").contains("group"));
    place.done(&["check", "flat.toml"]);
}

#[test]
fn tables_that_were_not_taken_say_why_and_files_may_lack_their_extension() {
    let place = place();
    for (sort, number) in ["oak", "ash"].into_iter().flat_map(|sort| (0..6).map(move |number| (sort, number))) {
        let seed = number as u64 + if sort == "oak" { 0 } else { 100 };
        save(&place, &format!("leaves/{sort}/{sort}{number}.png"), &waves(seed));
    }
    place.write("leaves/list.csv", "name,species\nscan1.jpg,oak\nscan2.jpg,ash\n");
    let told = place.done(&["init", "leaves"]);
    let why = "no column of this table holds files below leaves; its columns are name, species";
    assert!(told.contains("a table that was not taken: ") && told.contains(why), "{told}");
    place.write("leaves/list.csv", "name,species\na.jpg,\"oak\nb.jpg,ash\n");
    let told = place.done(&["init", "leaves", "--out", "quote.toml"]);
    assert!(told.contains("line 2 opens a quote that is never closed"), "{told}");

    let rows = |end: &str| -> String {
        let one = |(sort, number): (&str, usize)| format!("{sort}{number}{end},{sort} tree,{number}\n");
        ["oak", "ash"].into_iter().flat_map(|sort| (0..6).map(move |number| (sort, number))).map(one).collect()
    };
    place.write("leaves/list.csv", format!("name,species,remark\n{}", rows("")));
    place.write("flat/list.csv", format!("name,species,remark\n{}", rows("")));
    for (sort, number) in ["oak", "ash"].into_iter().flat_map(|sort| (0..6).map(move |number| (sort, number))) {
        let seed = number as u64 + if sort == "oak" { 0 } else { 100 };
        save(&place, &format!("flat/{sort}{number}.png"), &waves(seed));
    }
    let told = place.done(&["init", "flat"]);
    for part in [
        "data.columns.file = name: 12 cells are files of images, written without their extension",
        "12 paths have no extension: read as the one image of that name",
        "classes: 2, of 6 to 6 images each",
    ] {
        assert!(told.contains(part), "no `{part}` in\n{told}");
    }
    place.done(&["check", "flat.toml"]);
    save(&place, "flat/oak0.jpg", &waves(7));
    let (refused, _) = place.refused(&["init", "flat", "--out", "unclear.toml"]);
    assert!(refused.contains("it may be oak0.jpg or oak0.png"), "{refused}");
}

#[test]
fn photographs_that_are_called_as_masks_are_no_masks() {
    let place = place();
    for (sort, number) in ["oak", "ash"].into_iter().flat_map(|sort| (0..6).map(move |number| (sort, number))) {
        let seed = number as u64 + if sort == "oak" { 0 } else { 100 };
        for folder in ["called", "masked"] {
            save(&place, &format!("{folder}/{sort}/{number}.png"), &waves(seed));
        }
        save(&place, &format!("called/{sort}/{number}_seg.png"), &waves(seed + 50));
        left_half(&place.path(&format!("masked/{sort}/{number}_seg.png")));
    }
    let told = place.done(&["init", "called"]);
    assert!(told.contains("classes: 2, of 12 to 12 images each") && told.contains("masks: none found"), "{told}");
    let told = place.done(&["init", "masked"]);
    assert!(
        told.contains("classes: 2, of 6 to 6 images each") && told.contains("data.masks.source = folder"),
        "{told}"
    );
}
