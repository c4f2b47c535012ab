//! The same images through the networks of all arms: a row an image, a column an arm.

use std::path::Path;

use askama::Template;
use image::DynamicImage;
use mga_train::gallery::OVERVIEW;
use mga_train::pictures::inferno;

use super::overview::{Overview, Shown, overview};
use super::pictures::{Embedded, part};
use crate::Report;
use crate::results::Record;

/// The width of a picture at most, in pixels.
const WIDTH: u32 = 180;

/// The maps of a network, in the order they stand below each other, and what a reader calls them.
const MAPS: [(&str, &str); 2] = [("attention", "attention"), ("grad-cam", "Grad-CAM")];

/// The table.
#[derive(Template)]
#[template(path = "html/side_by_side.html")]
pub(super) struct SideBySide<'a> {
    replicate: &'a str,
    /// Columns that are the same for all arms: the image, and its mask.
    common: Vec<&'static str>,
    arms: Vec<Head<'a>>,
    rows: Vec<Row>,
    /// The colours of the maps, as stops of a gradient.
    ramp: String,
}

struct Head<'a> {
    index: usize,
    name: &'a str,
}

struct Row {
    label: String,
    path: String,
    common: Vec<Option<Embedded>>,
    cells: Vec<Cell>,
}

/// An image as the network of one arm sees it.
#[derive(Default)]
struct Cell {
    said: String,
    /// `right` or `wrong`; empty where the class is not known, or the arm does not show the image.
    verdict: &'static str,
    maps: Vec<(&'static str, Embedded)>,
}

/// A run's pictures: what is on them, and the pixels.
struct Seen {
    arm: usize,
    overview: Overview,
    pixels: DynamicImage,
}

/// Puts the runs of one replicate side by side: the first that most arms have pictures of. `None`: fewer than two arms do,
/// or they were made by an earlier version, which did not say what stands where.
pub(super) fn of<'a>(report: &'a Report, records: &[Record], notes: &mut Vec<String>) -> Option<SideBySide<'a>> {
    let tells: Vec<bool> = records.iter().map(|record| tells_places(&record.folder)).collect();
    let runs_of = |replicate: &str| -> Vec<(usize, usize)> {
        let run = |arm: usize| {
            let mut runs = report.arms[arm].runs.iter().copied();
            Some((arm, runs.find(|&run| tells[run] && report.runs[run].replicate == replicate)?))
        };
        (0..report.arms.len()).filter_map(run).collect()
    };
    let mut best: (&str, Vec<(usize, usize)>) = ("", vec![]);
    for run in &report.runs {
        let runs = runs_of(&run.replicate);
        if runs.len() > best.1.len() {
            best = (&run.replicate, runs);
        }
    }
    let (replicate, runs) = best;
    let seen: Vec<Seen> = runs.into_iter().filter_map(|(arm, run)| read(arm, &records[run], notes)).collect();
    if seen.len() < 2 {
        return None;
    }
    let common: Vec<&'static str> = ["image", "mask"]
        .into_iter()
        .filter(|column| {
            seen.iter().flat_map(|run| &run.overview.images).any(|image| image.places.contains_key(*column))
        })
        .collect();
    let rows = seen[0].overview.images.iter().map(|image| row(image, &common, &seen, notes)).collect();
    let arms = seen.iter().map(|run| Head { index: run.arm, name: &report.arms[run.arm].name }).collect();
    Some(SideBySide { replicate, common, arms, rows, ramp: ramp() })
}

/// Whether a run says what stands where in its picture; those of earlier versions do not.
fn tells_places(folder: &Path) -> bool {
    // What cannot be read is noted where the run's own pictures are shown.
    let overview = overview(&folder.join("pictures").join(OVERVIEW), &mut vec![]);
    overview.images.iter().any(|image| !image.places.is_empty())
}

/// Reads the pictures of a run. `None`: they cannot be read, which is noted.
fn read(arm: usize, record: &Record, notes: &mut Vec<String>) -> Option<Seen> {
    let path = record.folder.join("pictures").join(OVERVIEW);
    let overview = overview(&path, notes);
    match image::open(&path) {
        Ok(pixels) => Some(Seen { arm, overview, pixels }),
        Err(error) => {
            notes.push(format!("{}: cannot be read as a picture: {error}", path.display()));
            None
        }
    }
}

fn row(image: &Shown, common: &[&'static str], seen: &[Seen], notes: &mut Vec<String>) -> Row {
    let of = |run: &Seen| run.overview.images.iter().find(|other| other.path == image.path).cloned();
    let mut cut = |run: &Seen, image: &Shown, column: &str| {
        let place = *image.places.get(column)?;
        part(&run.pixels, place, WIDTH).map_err(|error| notes.push(format!("{}: {error:#}", image.path))).ok()
    };
    // The mask is that of the first arm that has one: arms may learn from other ones, which their own pictures show.
    let common = common
        .iter()
        .map(|column| seen.iter().find_map(|run| of(run).and_then(|image| cut(run, &image, column))))
        .collect();
    let cells = seen
        .iter()
        .map(|run| {
            let Some(image) = of(run) else { return Cell::default() };
            let maps = MAPS.into_iter().filter_map(|(column, name)| Some((name, cut(run, &image, column)?))).collect();
            let verdict = match (&image.label, &image.predicted) {
                (Some(label), Some(predicted)) if label == predicted => "right",
                (Some(_), Some(_)) => "wrong",
                _ => "",
            };
            let sure = image.confidence.map_or_else(String::new, |sure| format!(" ({:.0} %)", 100.0 * sure));
            let said = image.predicted.as_ref().map_or_else(String::new, |predicted| format!("{predicted}{sure}"));
            Cell { said, verdict, maps }
        })
        .collect();
    let label = image.label.clone().unwrap_or_else(|| "class not known".to_owned());
    Row { label, path: image.path.clone(), common, cells }
}

/// The colours of the maps over middle grey, as they lie over the images.
fn ramp() -> String {
    let stop = |step: usize| {
        let [r, g, b] = inferno(step as f32 / 8.0).map(|value| (255.0 * (0.6 * value + 0.4 * 0.5)).round() as u8);
        format!("rgb({r} {g} {b})")
    };
    (0..=8).map(stop).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_runs_from_dark_to_light() {
        let ramp = ramp();
        assert!(ramp.starts_with("rgb(51 51 53)") && ramp.matches("rgb").count() == 9, "{ramp}");
    }
}
