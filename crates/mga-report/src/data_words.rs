//! The paragraph on data: how many images, how they were divided, and what the networks see of them.

use std::collections::BTreeMap;

use mga_core::wording::counted;
use serde_json::Value;

use super::common::Common;
use super::transform_words::image_size;
use super::wording::{list, show};
use crate::results::{Confusion, DataCheck, Record};

/// The paragraph.
pub(super) fn data(common: &Common<'_>) -> String {
    let sets = common.values(|record| record.setting("data.dataset").map(show));
    let classes = common.values(|record| {
        let classes = record.summary.as_ref()?.others.get("classes")?;
        classes.as_u64().or_else(|| classes.as_array().map(|classes| classes.len() as u64))
    });
    let classes = match &classes[..] {
        [] => String::new(),
        [one] => format!(" ({one} classes)"),
        _ => " (different numbers of classes)".to_owned(),
    };
    let named = if sets.is_empty() { "The data".to_owned() } else { format!("The data set {}", list(&sets)) };
    let mut text = format!(
        "{named}{classes} provided {} training, {} validation and {} test images.",
        common.images(|summary| summary.train_images),
        common.images(|summary| summary.validation_images),
        common.images(|summary| summary.test_images),
    );
    text += &validation(common);
    text += &folds(common);
    if let Some(share) = common.number("data.split.test").filter(|&share| share > 0.0) {
        text += &format!(" Test images are {} % of each class{}.", 100.0 * share, seed(common, "data.split.seed"));
    }
    text += &groups(common);
    text += &alike(common);
    text += &sizes(common);
    text
}

/// The share of validation images as it came out: rounding and small classes make it another one than the setting.
fn validation(common: &Common<'_>) -> String {
    let set = ["data.validation.fraction", "data.validation.per_class"];
    let Some(set) = set.into_iter().find(|key| common.number(key).is_some_and(|share| share > 0.0)) else {
        return String::new();
    };
    let shares = common.values(|record| {
        let summary = record.summary.as_ref()?;
        let all = summary.train_images + summary.validation_images;
        (summary.validation_images > 0).then(|| format!("{:.1}", 100.0 * summary.validation_images as f64 / all as f64))
    });
    let number = |share: &String| share.parse::<f64>().unwrap_or(f64::NAN);
    let ends = |better: fn(f64, f64) -> f64| shares.iter().map(number).reduce(better);
    let Some((least, most)) = ends(f64::min).zip(ends(f64::max)) else { return String::new() };
    let share = if least == most { format!("{least:.1} %") } else { format!("{least:.1} to {most:.1} %") };
    let per_class = common.number(set).filter(|_| set.ends_with("per_class"));
    let each = per_class.map_or_else(
        || "taken from each class".to_owned(),
        |n| format!("{} of each class, taken", counted(n as usize, "image", "images")),
    );
    format!(
        " Validation images are {share} of training and validation images together, {each} before training{}.",
        seed(common, "data.validation.seed")
    )
}

/// Copies and near duplicates across a split, where somebody looked for them.
fn alike(common: &Common<'_>) -> String {
    let checks = common.values(|record| record.data_check);
    let [DataCheck { images, settings, copies, near_duplicates, near_bits }] = checks[..] else { return String::new() };
    let most = if settings > 1 { format!(", at most under one of {settings} splits") } else { String::new() };
    format!(
        " Perceptual hashes of all {images} images were compared, those of mirrored and turned images too: {} the same \
         pixels, and {} a near duplicate (at most {near_bits} of 256 bits differ) in another part of a split{most}.",
        have(copies, "no two images have", "set of images has", "sets of images have"),
        have(near_duplicates, "no image has", "image has", "images have"),
    )
}

fn have(number: usize, none: &str, one: &str, many: &str) -> String {
    match number {
        0 => none.to_owned(),
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    }
}

fn seed(common: &Common<'_>, key: &str) -> String {
    common.number(key).map(|seed| format!(" (seed {seed})")).unwrap_or_default()
}

/// The folds of a table, and how evenly the classes lie in them, which is counted: a table does not say how it was made.
fn folds(common: &Common<'_>) -> String {
    let folds = common.values(|record| record.setting("data.fold")?.as_str().map(str::to_owned));
    if folds.len() < 2 {
        return String::new();
    }
    let table = common.text("data.file").map(|file| format!(" of the table {file}")).unwrap_or_default();
    let mut repeats: Vec<&str> =
        folds.iter().map(|fold| fold.split_once('.').map_or("", |(repeat, _)| repeat)).collect();
    repeats.sort_unstable();
    repeats.dedup();
    let in_repeats = if repeats.len() > 1 { format!(" in {} repeats", repeats.len()) } else { String::new() };
    let mut text = format!(" Test images were {} folds{table}{in_repeats}, one a run.", folds.len());
    let shares: Vec<BTreeMap<String, f64>> =
        common.records().iter().filter_map(|record| class_shares(record)).collect();
    let classes: Vec<&String> = shares.first().map(|first| first.keys().collect()).unwrap_or_default();
    let spread = |class: &&String| {
        let of_class = || shares.iter().map(|shares| shares.get(*class).copied().unwrap_or(0.0));
        of_class().fold(0.0, f64::max) - of_class().fold(1.0, f64::min)
    };
    if shares.len() == common.records().len() && !classes.is_empty() {
        let most = 100.0 * classes.iter().map(spread).fold(0.0, f64::max);
        text += &format!(
            " The share of a class among the test images differs between folds by at most {most:.1} percentage points."
        );
    }
    text
}

/// The share of every class among the test images of a run.
fn class_shares(record: &Record) -> Option<BTreeMap<String, f64>> {
    let confusion = Confusion::read(&record.folder).ok()?;
    let counts: Vec<u64> = confusion.counts.iter().map(|row| row.iter().sum()).collect();
    let all = counts.iter().sum::<u64>() as f64;
    (all > 0.0).then(|| confusion.classes.into_iter().zip(counts.iter().map(|&count| count as f64 / all)).collect())
}

/// What keeps images of one plant on one side, as far as the experiment names it.
fn groups(common: &Common<'_>) -> String {
    let Some(column) = common.text("data.columns.group") else { return String::new() };
    if common.setting("data.groups_may_leak") == Some(&Value::Bool(true)) {
        return format!(" Images of one group (column {column}) may lie on both sides of a split.");
    }
    format!(" Images of one group (column {column}) lie on one side of every split.")
}

/// What the networks see in training and in evaluation, where the transforms fix it.
fn sizes(common: &Common<'_>) -> String {
    let size = |key: &str| common.setting(key).and_then(image_size);
    match (size("data.train.transforms"), size("data.eval.transforms")) {
        (Some(train), Some(eval)) if train == eval => format!(" Networks see images of {train} pixels."),
        (Some(train), Some(eval)) => {
            format!(" Networks see images of {train} pixels in training and of {eval} in evaluation.")
        }
        (Some(train), None) => format!(" Networks see images of {train} pixels in training."),
        (None, Some(eval)) => format!(" Networks see images of {eval} pixels in evaluation."),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{Request, build, results};

    /// A finished run: its place in the folds, what its experiment says of the data, its images and its confusion matrix.
    fn run(folder: &Path, fold: &str, data: &str, (train, validation): (u64, u64), confusion: &str) {
        let run = folder.join(format!("runs/{fold}"));
        std::fs::create_dir_all(&run).unwrap();
        let write = |name: &str, text: &str| std::fs::write(run.join(name), text).unwrap();
        write("cell.json", &format!(r#"{{"settings": {{}}, "replicate": {{"data.fold": "{fold}"}}}}"#));
        let summary = format!(
            r#"{{"split": "test", "last": {{"top1": 0.5}}, "train_images": {train}, "validation_images": {validation},
                "test_images": 20}}"#
        );
        write("summary.json", &summary);
        write("experiment.toml", &format!("[data]\ndataset = 'table'\nfold = '{fold}'\nfile = 'folds.csv'\n{data}"));
        write("confusion.csv", confusion);
    }

    fn paragraph(folder: &Path) -> String {
        build(&results::read(&[folder]).unwrap(), &Request::default()).unwrap().methods[0].clone()
    }

    #[test]
    fn shares_are_those_that_came_out() {
        let folder = tempfile::tempdir().unwrap();
        let data = "validation = { fraction = 0.25, seed = 3 }\ncolumns = { group = 'plant' }";
        run(folder.path(), "0.0", data, (90, 10), "label,a,b\na,5,5\nb,0,10\n");
        run(folder.path(), "1.0", data, (87, 13), "label,a,b\na,4,4\nb,2,10\n");
        let text = paragraph(folder.path());
        for said in [
            "provided 87 to 90 training, 10 to 13 validation and 20 test images.",
            "Validation images are 10.0 to 13.0 % of training and validation images together, taken from each class before \
             training (seed 3).",
            "Test images were 2 folds of the table folds.csv in 2 repeats, one a run.",
            // Half of the images of one fold, and eight of twenty of the other.
            "The share of a class among the test images differs between folds by at most 10.0 percentage points.",
            "Images of one group (column plant) lie on one side of every split.",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(!text.contains("25 %"), "the setting is not what came out: {text}");
    }

    #[test]
    fn what_is_not_known_is_not_claimed() {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), "0.0", "validation = { seed = 3 }", (90, 0), "label,a\na,1\n");
        let text = paragraph(folder.path());
        assert_eq!(text, "The data set table provided 90 training, 0 validation and 20 test images.");
        // A matrix that cannot be read says nothing of the classes.
        run(folder.path(), "0.1", "groups_may_leak = true\ncolumns = { group = 'plant' }", (90, 0), "torn");
        let text = paragraph(folder.path());
        assert!(
            text.contains("2 folds of the table folds.csv, one a run.") && !text.contains("percentage points"),
            "{text}"
        );
        assert!(!text.contains("group"), "not all runs say so: {text}");
    }
}
