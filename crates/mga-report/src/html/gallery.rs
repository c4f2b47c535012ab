//! Where the networks looked: the pictures of every run.

use std::path::{Path, PathBuf};

use askama::Template;
use mga_train::gallery::OVERVIEW;
use mga_train::mask_survey::SHEET;

use super::overview::{Overview, Shown, overview};
use super::pictures::embedded;
use super::section::{Content, Reported};
use super::side_by_side;
use crate::Report;

/// Pictures of one run.
const PER_RUN: usize = 4;

/// Pictures of the page.
const MOST: usize = 400;

/// Bytes of all pictures, before base64 makes four of three: the page stays below some 20 MB.
const BYTES: usize = 12 << 20;

/// Bytes of one picture.
const EACH: usize = 400 << 10;

/// Pictures of so many pixels across are shown at twice their size.
const SMALL: u32 = 400;

/// The section.
#[derive(Template)]
#[template(path = "html/gallery.html")]
struct Gallery<'a> {
    arms: Vec<OfArm<'a>>,
}

struct OfArm<'a> {
    index: usize,
    name: &'a str,
    runs: Vec<OfRun>,
}

struct OfRun {
    heading: String,
    pictures: Vec<Picture>,
}

struct Picture {
    source: String,
    width: u32,
    height: u32,
    alt: String,
    caption: String,
    images: Vec<Item>,
}

/// An image of an overview: what is said of it, and whether it was taken for another class.
struct Item {
    said: String,
    path: String,
    wrong: bool,
}

/// The pictures of the runs, arm by arm, and what could not be read.
pub(super) fn section(Reported { report, records }: &Reported<'_>) -> anyhow::Result<Content> {
    let found: Vec<Vec<PathBuf>> = records.iter().map(|record| pictures(&record.folder)).collect();
    let all: usize = found.iter().map(Vec::len).sum();
    let budget = EACH.min(BYTES / all.clamp(1, MOST));
    let (mut arms, mut notes, mut left) = (vec![], vec![], MOST);
    for (index, arm) in report.arms.iter().enumerate() {
        let mut runs = vec![];
        for &run in arm.runs.iter().filter(|&&run| !found[run].is_empty()) {
            if left == 0 {
                notes.push(format!("{}: its pictures are left out, the page has {MOST} already", records[run].key));
                continue;
            }
            let shown = left.min(found[run].len());
            left -= shown;
            runs.push(of_run(report, run, &found[run][..shown], budget, &mut notes));
        }
        if !runs.is_empty() {
            arms.push(OfArm { index, name: &arm.name, runs });
        }
    }
    let mut shown = Content::default();
    if let Some(side_by_side) = side_by_side::of(report, records, &mut notes) {
        shown = shown.template(&side_by_side)?;
    }
    Ok(if arms.is_empty() { shown } else { shown.template(&Gallery { arms })? }.notes(notes))
}

/// The pictures of a run's folder, the overview first, then by name.
fn pictures(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.join("pictures")) else { return vec![] };
    let known = |path: &Path| {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        ending.is_some_and(|ending| ["png", "jpg", "jpeg", "webp"].contains(&ending.as_str()))
            && !path.file_name().is_some_and(|name| name == SHEET || name.to_string_lossy().starts_with('.'))
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| known(path)).collect();
    paths.sort_by_key(|path| (!path.ends_with(OVERVIEW), path.clone()));
    paths.truncate(PER_RUN);
    paths
}

fn of_run(report: &Report, run: usize, paths: &[PathBuf], budget: usize, notes: &mut Vec<String>) -> OfRun {
    let run = &report.runs[run];
    let score = report.metric().map(|column| {
        let value = run.values.first().copied().flatten();
        format!(", {} {}{}", column.title, column.show(value), column.unit())
    });
    let mut pictures = vec![];
    for path in paths {
        let picture = match embedded(path, budget) {
            Ok(picture) => picture,
            Err(error) => {
                notes.push(format!("{error:#}"));
                continue;
            }
        };
        let overview = path.ends_with(OVERVIEW).then(|| overview(path, notes));
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Pictures of small images can be seen, and stay as sharp as they are.
        let enlarged = if picture.width <= SMALL { 2 } else { 1 };
        pictures.push(Picture {
            source: picture.source,
            width: enlarged * picture.width,
            height: enlarged * picture.height,
            alt: format!("{name} of {}", run.key),
            caption: overview.as_ref().map_or_else(|| name.clone(), caption),
            images: overview.iter().flat_map(|overview| &overview.images).map(item).collect(),
        });
    }
    OfRun { heading: format!("{}{}", run.replicate, score.unwrap_or_default()), pictures }
}

/// How the overview is read.
fn caption(overview: &Overview) -> String {
    let columns = if overview.columns.is_empty() {
        "image, mask (where there is one) and attention (where the network has one)".to_owned()
    } else {
        overview.columns.join(", ")
    };
    let per_row = overview.images_per_row.max(1);
    let each = if per_row == 1 { "one image a line".to_owned() } else { format!("{per_row} images a line") };
    format!("From left to right: {columns}; {each}.")
}

fn item(shown: &Shown) -> Item {
    let label = shown.label.as_deref().unwrap_or("class not known");
    let said = match (&shown.predicted, shown.confidence) {
        (Some(predicted), Some(confidence)) => format!("{label}, taken for {predicted} ({:.0} %)", 100.0 * confidence),
        (Some(predicted), None) => format!("{label}, taken for {predicted}"),
        (None, _) => label.to_owned(),
    };
    let wrong = shown.label.is_some() && shown.predicted.is_some() && shown.label != shown.predicted;
    Item { said, path: shown.path.clone(), wrong }
}
