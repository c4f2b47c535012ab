//! The record of a run, read from its folder.

use std::path::{Path, PathBuf};

use mga_experiment::{last_stage, stage_experiments};
use mga_sweep::{RunState, STATE, State};
use mga_train::identity::{self, Identity};
use mga_train::mask_survey::{self, MaskSurvey};
use mga_train::run_folder::RunFolder;
use mga_train::runners::learner::NOT_FINITE;
use mga_train::stage_place::StagePlace;
use mga_train::tasks::classification::guidance::Guidance;
use serde::Serialize;
use serde_json::{Map, Value};

use super::cell::Cell;
use super::curves::Curves;
use super::data_check::DataCheck;
use super::json_file;
use super::logits::Logits;
use super::predictions::Predictions;
use super::summary::Summary;

/// The note on a finished run that cannot say what its numbers depend on.
pub const NO_IDENTITY: &str = "there is no identity.json";

/// A run, as recorded in its folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// The run's folder.
    pub folder: PathBuf,
    /// The folder's name, unique within its sweep.
    pub key: String,
    /// The cell of a sweep that the run fills. For a run outside a sweep, [`super::derive_cells`] finds the settings
    /// that tell it from the others.
    pub cell: Cell,
    /// The state of the run. A run with a summary is finished, whatever `state.json` says.
    pub state: RunState,
    /// Times it was started; 0 where nobody counted.
    pub attempts: u32,
    /// Why it failed.
    pub error: Option<String>,
    /// Seconds it took over all attempts, without those that it spent on [`Self::shared`]; where nobody timed it, those of its
    /// training steps.
    pub seconds: Option<f64>,
    /// The identity: everything that the numbers depend on.
    pub identity: Option<Identity>,
    /// The resolved experiment, of a run of several stages that of the last.
    pub experiment: Option<Value>,
    /// The resolved experiment as the file has it, with the tables of its stages.
    #[serde(skip)]
    pub resolved: Option<Value>,
    /// Its stages, each by its name with its whole experiment; of a task without stages none.
    #[serde(skip)]
    pub stages: Vec<(String, Value)>,
    /// The stages that it shares with other runs, with the time that it spent on each, which is none of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<StagePlace>,
    /// Program, machine and device.
    pub environment: Option<Value>,
    /// The statistics of the masks before training, if the run has masks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masks: Option<MaskSurvey>,
    /// The images that are alike on two sides of a split, if somebody checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_check: Option<DataCheck>,
    /// The results, which exist if and only if the run is finished.
    pub summary: Option<Summary>,
    /// Anything missing or wrong in the folder, one sentence each.
    pub notes: Vec<String>,
    /// Whether the folder says itself which cell the run fills.
    #[serde(skip)]
    pub(super) has_cell: bool,
}

impl Record {
    /// Reads a run's folder; `None` where nothing in it is a run's.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        if !["cell.json", "experiment.toml", "summary.json"].iter().any(|name| folder.join(name).is_file()) {
            return None;
        }
        let mut notes = vec![];
        let cell: Option<Cell> = json_file::read(folder, "cell.json", &mut notes);
        let file: Option<State> = json_file::read(folder, STATE, &mut notes);
        let summary: Option<Summary> = json_file::read(folder, "summary.json", &mut notes);
        let said = file.as_ref().map(|file| file.state);
        let state = match RunState::of_run(folder, said) {
            // A summary of another form is none.
            RunState::Finished if summary.is_none() => RunState::Unfinished,
            state => state,
        };
        notes.extend(said.and_then(|said| contradiction(said, state)));
        let resolved = json_file::read_toml(folder, "experiment.toml", &mut notes);
        let places = StagePlace::read(&RunFolder::at(folder));
        let places = places.map_err(|error| notes.push(format!("{error:#}"))).unwrap_or_default();
        let shared: Vec<StagePlace> = places.into_iter().filter(StagePlace::is_shared).collect();
        let spent: f64 = shared.iter().map(|place| place.spent.trained + place.spent.waited).sum();
        let identity = json_file::read(folder, identity::FILE, &mut notes);
        let reported = summary.as_ref().and_then(Summary::reported);
        if let Some(what) = reported.and_then(|reported| reported.0.get(NOT_FINITE)) {
            notes.push(match what {
                Value::Number(images) => format!("the cross entropy of {images} images is NaN or infinite"),
                other => format!("not every number of it is finite: {other}"),
            });
        }
        if identity.as_ref().is_some_and(|identity: &Identity| !identity.replaced.is_empty()) {
            notes.push(
                "test images or their masks were replaced after it was trained, and it was evaluated again".to_owned(),
            );
        }
        if state == RunState::Finished {
            for (name, note) in [("experiment.toml", "there is no experiment.toml"), (identity::FILE, NO_IDENTITY)] {
                if !folder.join(name).exists() {
                    notes.push(note.to_owned());
                }
            }
        }
        let timed = file.as_ref().map(|file| file.seconds).filter(|seconds| *seconds > 0.0);
        Some(Self {
            key: folder.file_name().map_or_else(|| ".".to_owned(), |name| name.to_string_lossy().into_owned()),
            folder: folder.to_path_buf(),
            has_cell: cell.is_some(),
            cell: cell.unwrap_or_default(),
            state,
            attempts: file.as_ref().map_or(0, |file| file.attempts),
            error: file.and_then(|file| file.error).filter(|_| state != RunState::Finished),
            seconds: timed
                .map(|seconds| (seconds - spent).max(0.0))
                .or(summary.as_ref().map(Summary::own_training_seconds)),
            identity,
            experiment: resolved.clone().map(last_stage),
            stages: resolved.as_ref().map(stage_experiments).unwrap_or_default(),
            resolved,
            shared,
            environment: json_file::read(folder, "environment.json", &mut notes),
            masks: json_file::read(folder, mask_survey::FILE, &mut notes),
            data_check: DataCheck::of_run(folder, &mut notes),
            summary,
            notes,
        })
    }

    /// Returns whether its numbers count.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.state == RunState::Finished
    }

    /// Returns a metric of the reported checkpoint: `top1`, `balanced_accuracy`, …, accuracies as fractions of 1.
    #[must_use]
    pub fn metric(&self, key: &str) -> Option<f64> {
        self.summary.as_ref()?.reported()?.metric(key)
    }

    /// Returns the effect of guidance on the attention; `None` for a run without guidance or of an earlier version.
    #[must_use]
    pub fn guidance(&self) -> Option<Guidance> {
        serde_json::from_value(self.summary.as_ref()?.others.get("guidance")?.clone()).ok()
    }

    /// Returns a setting of the resolved experiment by its dotted key: `model.attention`.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&Value> {
        key.split('.').try_fold(self.experiment.as_ref()?, |value, part| value.get(part))
    }

    /// Returns a value of `environment.json`.
    #[must_use]
    pub fn environment(&self, key: &str) -> Option<&Value> {
        self.environment.as_ref()?.get(key)
    }

    /// Returns whether the run predicts a class for each test image, so that it has predictions to read.
    #[must_use]
    pub fn predicts(&self) -> bool {
        self.metric("top1").is_some()
    }

    /// Reads the predictions of the reported checkpoint for the test images.
    ///
    /// # Errors
    /// As [`Predictions::read`].
    pub fn predictions(&self) -> anyhow::Result<Predictions> {
        Predictions::read(&self.folder)
    }

    /// Reads the scores behind the predictions.
    ///
    /// # Errors
    /// As [`Logits::read`].
    pub fn logits(&self) -> anyhow::Result<Logits> {
        Logits::read(&self.folder)
    }

    /// Returns where its training was logged, in order: of a run of several stages those that trained something.
    #[must_use]
    pub fn training_logs(&self) -> Vec<TrainingLog> {
        let stages = self.summary.as_ref().and_then(|summary| summary.others.get("stages")?.as_array());
        let Some(stages) = stages else {
            return vec![TrainingLog { stage: None, id: String::new(), folder: self.folder.clone() }];
        };
        let log = |stage: &Value| {
            let text = |key: &str| stage.get(key).and_then(Value::as_str);
            let folder = self.folder.join(text("folder")?);
            Some(TrainingLog { stage: text("name").map(str::to_owned), id: text("id")?.to_owned(), folder })
        };
        stages.iter().filter(|stage| stage.get("work").is_some_and(|work| work == "fit")).filter_map(log).collect()
    }
}

/// A folder with the log of some training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingLog {
    /// The stage's name; `None`: the run has no stages.
    pub stage: Option<String>,
    /// The stage's identity, the same in all runs that share it.
    pub id: String,
    /// The folder.
    pub folder: PathBuf,
}

impl TrainingLog {
    /// Reads the learning curves.
    ///
    /// # Errors
    /// As [`Curves::read`].
    pub fn curves(&self) -> anyhow::Result<Curves> {
        Curves::read(&self.folder)
    }
}

/// What to say where `state.json` says something else of a run than its summary shows.
fn contradiction(said: RunState, state: RunState) -> Option<String> {
    use RunState::{Failed, Finished, Interrupted, Unfinished, Waiting};
    match (said, state) {
        (Failed | Waiting | Interrupted, Finished) => {
            Some(format!("state.json says {}, but there is a summary: it counts as finished", said.word()))
        }
        (Finished, Unfinished) => {
            Some("state.json says finished, but there is no summary.json: it does not count".to_owned())
        }
        _ => None,
    }
}

/// Returns the leaves of nested tables by their dotted keys, in order; arrays are leaves, and empty tables have none.
#[must_use]
pub fn flatten(value: &Value) -> Map<String, Value> {
    fn into(value: &Value, prefix: &str, flat: &mut Map<String, Value>) {
        match value {
            Value::Object(table) => {
                for (key, value) in table {
                    let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    into(value, &key, flat);
                }
            }
            leaf => drop(flat.insert(prefix.to_owned(), leaf.clone())),
        }
    }
    let mut flat = Map::new();
    into(value, "", &mut flat);
    flat
}

#[cfg(test)]
mod tests {
    use mga_train::folder_lock::FolderLock;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    #[test]
    fn a_summary_decides_what_is_finished() {
        let read = |files: &[(&str, &str)]| Record::read(folder(files).path());
        assert_eq!(read(&[("readme.txt", "")]), None);
        let state = |files: &[(&str, &str)]| read(files).unwrap().state;
        assert_eq!(state(&[("cell.json", "{}")]), RunState::Waiting);
        assert_eq!(state(&[("experiment.toml", "seed = 1")]), RunState::Unfinished);
        let begun = folder(&[("cell.json", "{}"), ("state.json", r#"{"state": "running"}"#)]);
        let state = || Record::read(begun.path()).unwrap().state;
        let lock = FolderLock::take(begun.path(), "trains").unwrap();
        assert_eq!(state(), RunState::Running);
        drop(lock);
        assert_eq!(state(), RunState::Interrupted);
        std::fs::write(begun.path().join("state.json"), r#"{"state": "failed"}"#).unwrap();
        assert_eq!(state(), RunState::Failed);
        let lock = FolderLock::take(begun.path(), "trains").unwrap();
        assert_eq!(state(), RunState::Running);
        drop(lock);
        let killed = [("summary.json", r#"{"training_seconds": 3.5}"#), ("state.json", r#"{"state": "running"}"#)];
        let killed = read(&killed).unwrap();
        assert_eq!((killed.state, killed.seconds), (RunState::Finished, Some(3.5)));
        assert!(killed.notes.iter().any(|note| note == "there is no identity.json"), "{:?}", killed.notes);
        let lost = read(&[("cell.json", "{}"), ("state.json", r#"{"state": "finished"}"#)]).unwrap();
        assert_eq!(lost.state, RunState::Unfinished);
        assert!(lost.notes[0].contains("no summary.json"));
        let failed =
            [("cell.json", "{}"), ("state.json", r#"{"state": "failed", "error": "the loss is NaN", "attempts": 2}"#)];
        let failed = read(&failed).unwrap();
        assert_eq!(
            (failed.state, failed.error.as_deref(), failed.attempts),
            (RunState::Failed, Some("the loss is NaN"), 2)
        );
    }

    #[test]
    fn a_torn_file_is_a_note_and_not_the_end() {
        let folder = folder(&[("experiment.toml", "seed = "), ("summary.json", "{\"split\": "), ("cell.json", "{")]);
        let record = Record::read(folder.path()).unwrap();
        assert_eq!(record.state, RunState::Unfinished);
        assert_eq!(record.notes.len(), 3, "{:?}", record.notes);
        assert!(record.notes[1].starts_with("summary.json cannot be understood"), "{:?}", record.notes);
    }

    #[test]
    fn settings_by_their_dotted_keys() {
        let folder = folder(&[(
            "experiment.toml",
            "seed = 7\n[model]\nattention = \"none\"\nresidual_weights = [0.5, 0.5]\n[a.b]\n",
        )]);
        let record = Record::read(folder.path()).unwrap();
        assert_eq!(record.setting("model.attention"), Some(&Value::from("none")));
        assert_eq!(record.setting("model.nothing"), None);
        let flat = flatten(record.experiment.as_ref().unwrap());
        let keys: std::collections::BTreeSet<&str> = flat.keys().map(String::as_str).collect();
        assert_eq!(keys, ["seed", "model.attention", "model.residual_weights"].into());
    }
}
