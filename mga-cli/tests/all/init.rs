//! From a folder of photographs to a report: `init`, `check`, `sweep`, `report`, without a script and without an edit.

use mga_testing::pictures::{left_half, picture};
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
