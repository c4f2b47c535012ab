//! Images that were decoded, each once for all settings under which they are the same.

use std::path::Path;

use anyhow::Context;
use mga_core::wording::counted;
use mga_data::check::{CheckSettings, DataReport, Inspected, nearly_black, write_groups};
use mga_data::dataset::Record;
use mga_data::masks::MaskSurvey;
use mga_experiment::Loaded;
use mga_train::data_set::OpenData;
use serde_json::{Value, json};

use crate::images_bar::images_bar;

/// Settings of the data that say which images train or how, and not what they look like.
const OF_OTHERS: [&str; 22] = [
    "fold",
    "split",
    "validation",
    "class_split",
    "groups_may_leak",
    "train",
    "eval",
    "batch_size",
    "shuffle",
    "drop_last",
    "mean",
    "std",
    "resize_rounding",
    "workers",
    "prefetch",
    "cache",
    "cache_limit",
    "verify",
    "on_error",
    "check_files",
    "sampler",
    "annotations",
];

/// Images of one data set with the masks of one source.
struct Seen {
    key: String,
    records: Vec<Record>,
    inspected: Inspected,
    survey: Option<MaskSurvey>,
}

/// Images that were looked at, by what they depend on.
pub(super) struct LookedAt {
    near: u32,
    seen: Vec<Seen>,
    notes: Vec<String>,
}

impl LookedAt {
    pub(super) fn new(near: u32) -> Self {
        Self { near, seen: Vec::new(), notes: Vec::new() }
    }

    /// Reports on the splits of `data`. Where no setting that was looked at has the same images, `images` are decoded: all that
    /// other splits of the data may have too.
    ///
    /// # Errors
    /// An image of the splits that is not among them.
    pub(super) fn at(&mut self, loaded: &Loaded, data: &OpenData, images: &[usize]) -> anyhow::Result<DataReport> {
        let (records, classes) = (data.dataset.records(), data.dataset.classes());
        let key = key(loaded, data);
        let same = |seen: &&Seen| {
            seen.key == key
                && seen.records.len() == records.len()
                && seen.records.iter().zip(records).all(|(one, other)| one.id == other.id && one.path == other.path)
        };
        let seen = match self.seen.iter().position(|seen| same(&seen)) {
            Some(at) => &self.seen[at],
            None => {
                let seen = self.decoded(key, loaded, data, images)?;
                self.seen.push(seen);
                &self.seen[self.seen.len() - 1]
            }
        };
        let mut report = seen.inspected.report(records, classes, &data.splits)?;
        report.masks.files.clone_from(&seen.survey);
        Ok(report)
    }

    fn decoded(&mut self, key: String, loaded: &Loaded, data: &OpenData, images: &[usize]) -> anyhow::Result<Seen> {
        let settings = CheckSettings { near_distance: self.near, threads: loaded.experiment.data.workers };
        let bar = images_bar(images.len());
        let progress = |done: usize| bar.set_position(done as u64);
        let inspected = Inspected::of(data.eval_source().as_ref(), images, &settings, &progress)?;
        bar.finish_and_clear();
        let survey = Some(data.masks.survey(images)).filter(|survey| survey.of > 0);
        let mut notes = data.masks.dataset().mask_notes();
        if loaded.experiment.data.white_point.is_none() {
            // What cannot be read is in the report.
            notes.extend(nearly_black(data.dataset.as_ref(), images).ok().flatten());
        }
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        Ok(Seen { key, records: data.dataset.records().to_vec(), inspected, survey })
    }

    /// What was noticed while images were decoded.
    pub(super) fn notes(&self) -> impl Iterator<Item = &String> {
        self.notes.iter()
    }

    /// Writes the images that look alike as a table of groups, and says how many there are.
    ///
    /// # Errors
    /// Several data sets were looked at; a file that cannot be written.
    pub(super) fn write_groups(&self, out: &Path) -> anyhow::Result<String> {
        let first = self.seen.first().context("no image was looked at")?;
        let ids = |seen: &Seen| seen.records.iter().map(|record| record.id.clone()).collect::<Vec<_>>();
        anyhow::ensure!(
            self.seen.iter().all(|seen| ids(seen) == ids(first)),
            "--groups-out writes the groups of one data set, and the runs of this sweep have several; name an experiment"
        );
        let alike = first.inspected.alike()?;
        write_groups(&alike, &first.records, out)?;
        Ok(format!(
            "{}: {} that look alike, in {}",
            out.display(),
            counted(alike.images(), "image", "images"),
            counted(alike.groups.len(), "group", "groups")
        ))
    }
}

/// Everything that the decoded images and their masks depend on.
fn key(loaded: &Loaded, data: &OpenData) -> String {
    let mut settings = json!(loaded.experiment.data);
    if let Value::Object(settings) = &mut settings {
        settings.retain(|key, _| !OF_OTHERS.contains(&key.as_str()));
        // Another seed of a control exchanges other masks, which cover as much.
        if let Some(Value::Object(masks)) = settings.get_mut("masks") {
            masks.retain(|key, _| key != "seed");
        }
    }
    format!("{settings} {}", data.masks.source())
}
