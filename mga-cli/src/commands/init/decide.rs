//! Decisions, each with its reason.

use std::path::{Path, PathBuf};

use mga_core::wording::counted;
use mga_data::recognition::{Decision, Recognised};
use mga_sweep::duration;

use super::look::{FOLDED, Looked};

/// Classes whose names are told.
const NAMED: usize = 10;
/// A class with this many times the images of another is told.
const IMBALANCED: f64 = 2.0;
/// The greatest side of images for a network that is trained from scratch on processor cores.
const SIDE: usize = 96;
/// Steps that a run takes at most, about, and the fewest and most epochs.
const STEPS: usize = 1500;
const EPOCHS: [usize; 2] = [5, 60];
/// Decoded images that are kept in memory at most, in bytes.
const KEPT: usize = 1 << 30;

/// What is written, and the lines that say why.
pub(super) struct Plan {
    pub(super) folder: PathBuf,
    pub(super) dataset: String,
    pub(super) recognised: Recognised,
    /// Folds of the cross-validation; `None`: the data's own parts, or one test set.
    pub(super) folds: Option<usize>,
    pub(super) grouped: bool,
    /// Whether a test set is drawn, and validation images are.
    pub(super) draws_test: bool,
    pub(super) draws_validation: bool,
    pub(super) masks: Option<String>,
    /// Whether some images have none.
    pub(super) masks_missing: bool,
    pub(super) balanced: bool,
    /// Side of the images in the network.
    pub(super) side: usize,
    pub(super) batch_size: usize,
    pub(super) epochs: usize,
    /// Whether decoded images are kept in memory.
    pub(super) kept: bool,
    /// What was decided, and why.
    pub(super) lines: Vec<(String, String)>,
}

impl Plan {
    /// Decides.
    ///
    /// # Errors
    /// Too few images to train and test on.
    pub(super) fn of(folder: &Path, dataset: &str, recognised: &Recognised, looked: &Looked) -> anyhow::Result<Self> {
        let (images, classes) = (looked.images.len(), looked.classes.len());
        anyhow::ensure!(
            classes >= 2,
            "{}: one class alone was found; a classifier tells two at least",
            folder.display()
        );
        let mut lines: Vec<(String, String)> =
            vec![("data set".to_owned(), format!("{dataset}, {}", folder.display()))];
        let shown = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let told =
            |decision: &Decision| (format!("data.{} = {}", decision.key, shown(&decision.value)), decision.why.clone());
        lines.extend(recognised.decisions.iter().map(told));
        lines.extend(looked.warnings.iter().map(|warning| ("note".to_owned(), warning.clone())));
        let counts: Vec<usize> = looked.classes.values().copied().collect();
        let (least, most) = counts.iter().fold((usize::MAX, 0), |(l, m), &count| (l.min(count), m.max(count)));
        lines.push(("classes".to_owned(), format!("{classes}, of {least} to {most} images each, {images} in all")));
        let names: Vec<&str> = looked.classes.keys().take(NAMED).map(String::as_str).collect();
        let more = if classes > NAMED { ", …" } else { "" };
        lines.push(("named".to_owned(), format!("{}{more}", names.join(", "))));
        let balanced = most as f64 >= IMBALANCED * least as f64;
        if balanced {
            let why = "the largest class has at least twice the images of the smallest; checkpoints are selected by balanced accuracy";
            lines.push(("objective.class_weights = balanced".to_owned(), why.to_owned()));
        }
        let grouped = looked.groups() > 0;
        let groups = looked.alike.as_ref().map_or_else(|| looked.groups(), |alike| alike.groups);
        lines.push(if groups > 0 {
            ("groups".to_owned(), format!("{groups}; images of one group are never on two sides of a split"))
        } else {
            let why =
                "none found; where several photographs show one plant, name it in a column `group`, or in `data.label`";
            ("groups".to_owned(), why.to_owned())
        });
        lines.extend(looked.alike.iter().map(|alike| ("near duplicates".to_owned(), alike.line.clone())));
        let (folds, draws_test, draws_validation) = parts(looked, grouped, &mut lines)?;
        let mut recognised = recognised.clone();
        let mut masks = recognised.masks.as_ref().map(|masks| shown(&masks.value));
        match (&recognised.masks, &looked.found_masks) {
            (Some(masks), _) => lines.push(told(masks)),
            // Only the table with folds has a column for masks that the data set does not bring.
            (None, Some((source, found))) if found.files.is_some() && folds.is_some() => {
                lines.push((format!("data.masks.source = {source}"), found.why.clone()));
                masks = Some(source.clone());
            }
            (None, Some((_, found))) if found.files.is_some() => {
                let count = found.images;
                let why = format!(
                    "a folder has those of {count} of {images} images, which data.masks.folder can name; docs/masks.md"
                );
                lines.push(("masks".to_owned(), why));
            }
            (None, Some((source, found))) => {
                let source = Decision::new("masks.source", source.as_str(), found.why.clone());
                lines.extend([&source].into_iter().chain(&found.settings).map(told));
                masks = Some(shown(&source.value));
                recognised.decisions.extend(found.settings.iter().cloned());
                recognised.masks = Some(source);
            }
            (None, None) => {
                let why = "none found; `mga masks` makes some, and docs/masks.md says how";
                lines.push(("masks".to_owned(), why.to_owned()));
            }
        }
        let [small, median, large] = looked.sides;
        let side = if median <= SIDE { median.max(16) } else { SIDE };
        let sizes = if small == large {
            format!("{small}")
        } else {
            format!("{small} to {large}, half of them below {median}")
        };
        lines.push((
            format!("image size = {side}"),
            format!(
                "shorter sides are {sizes} pixels; a network from scratch on processor cores wants no more than {SIDE}"
            ),
        ));
        let batch_size = (images / 12).clamp(4, 32);
        let per_epoch = (images * 6 / 10).div_ceil(batch_size).max(1);
        let epochs = (STEPS / per_epoch).clamp(EPOCHS[0], EPOCHS[1]);
        Ok(Self {
            folder: folder.to_path_buf(),
            dataset: dataset.to_owned(),
            recognised,
            folds,
            grouped,
            draws_test,
            draws_validation,
            masks_missing: masks.as_deref() == Some("folder") && looked.images.iter().any(|image| image.mask.is_none()),
            masks,
            balanced,
            side,
            batch_size,
            epochs,
            kept: images.saturating_mul(3 * median * median) < KEPT,
            lines,
        })
    }

    /// Takes fewer epochs where a run of `seconds` would make the sweep longer than `limit` seconds, and says how many.
    pub(super) fn fit(&mut self, seconds: f64, limit: f64) {
        let all = seconds * self.runs() as f64;
        let fitting = (self.epochs as f64 * limit / all.max(1e-9)) as usize;
        let why = if fitting < EPOCHS[0] {
            self.epochs = EPOCHS[0];
            format!("the fewest that say anything; the sweep takes more than {} all the same", duration(limit))
        } else if fitting < self.epochs {
            self.epochs = fitting.clamp(EPOCHS[0], self.epochs);
            format!("as many as fit a sweep of about {} on this machine; more may be better", duration(limit))
        } else {
            "a small network needs many looks at few images".to_owned()
        };
        self.lines.push((format!("schedule.epochs = {}", self.epochs), why));
    }

    /// Names of the arms of the sweep.
    pub(super) fn arms(&self) -> &'static [&'static str] {
        if self.masks.is_some() { &["plain", "attention", "mga", "shuffled"] } else { &["plain", "attention"] }
    }

    /// Runs of the sweep.
    pub(super) fn runs(&self) -> usize {
        self.arms().len() * self.folds.unwrap_or(3)
    }
}

/// Folds, and whether a test set and validation images are drawn.
fn parts(
    looked: &Looked,
    grouped: bool,
    lines: &mut Vec<(String, String)>,
) -> anyhow::Result<(Option<usize>, bool, bool)> {
    let (images, units) = (looked.images.len(), looked.fewest_units());
    let of = if grouped { "groups" } else { "images" };
    let pooled = &looked.pooled;
    if let Some(why) = pooled {
        lines.push(("split".to_owned(), format!("{why}; all images are pooled, and split anew")));
    }
    if looked.brings_test() && pooled.is_none() {
        let validation = !looked.brings_validation();
        let drawn = if validation { ", and a fifth of the training images validates" } else { "" };
        lines.push(("split".to_owned(), format!("the data's own training and test images{drawn}")));
        return Ok((None, false, validation));
    }
    anyhow::ensure!(
        units >= 3,
        "a class has {} only, too few to train, validate and test on; give it more, or leave it out{}",
        counted(units, if grouped { "group" } else { "image" }, of),
        if grouped { "; --no-groups takes no images to belong together" } else { "" }
    );
    if looked.is_folded() {
        let folds = units.min(5);
        let why = format!(
            "{}every image is tested once, and the classes are spread evenly over the folds",
            if images < FOLDED { format!("{images} images are too few for one test set; ") } else { String::new() }
        );
        lines.push((format!("{folds}-fold cross-validation"), why));
        return Ok((Some(folds), false, true));
    }
    lines.push((
        "data.split.test = 0.2".to_owned(),
        format!("{images} images are enough for a test set, of whole {of}"),
    ));
    Ok((None, true, true))
}
