//! A sweep's folder: the cells that its file asks for, and where each of them stands.

use std::path::{Path, PathBuf};

use anyhow::Context;
use mga_core::whole_file::write_all;
use mga_registry::Choice;
use mga_train::identity::Identity;
use mga_train::run_folder::RunFolder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::run_state::RunState;
use super::state::State;
use super::taken_over::TakenOver;

/// The cells in force, in a sweep's folder.
pub const PLAN: &str = "plan.json";
/// A run's cell, in its folder.
pub const CELL: &str = "cell.json";
/// The name of the file in a run's folder that the run starts from.
pub const EXPERIMENT: &str = "cell.toml";

/// `cell.json`: which cell of the sweep a run fills.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// The sweep's name.
    pub sweep: String,
    /// The arm's name, where it has one.
    pub variant: Option<String>,
    /// The settings that tell this arm from the others, by dotted key.
    pub settings: Map<String, Value>,
    /// The seeds and folds that repeat the arm, by dotted key.
    pub replicate: Map<String, Value>,
    /// Place in the order of the sweep, from 0.
    pub order: usize,
    /// Whether others are compared with this arm.
    pub baseline: bool,
    /// The draw of a random or TPE search, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<usize>,
    /// The run's [`Identity::id`], as planned.
    #[serde(default)]
    pub id: String,
}

/// A planned run of a sweep.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The name of its folder below `runs`.
    pub key: String,
    /// `cell.json`.
    pub record: CellRecord,
    /// The experiment's `device`.
    pub device: String,
    /// The experiment's `threads`; 0: not said.
    pub threads: usize,
    /// The identities of its stages before the last, in their order: runs that have one in common train it once.
    pub stages: Vec<String>,
    /// The experiment, where it was just made; of a folder that was opened it lies in `cell.toml`.
    pub(super) experiment: Option<String>,
    /// Its identity, where it was just made.
    pub(super) identity: Option<Identity>,
    /// The name of the folder that the run lies in, where that is not its own.
    pub(super) from: Option<String>,
    folder: PathBuf,
}

/// A line of `plan.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    key: String,
    id: String,
    device: String,
    threads: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stages: Vec<String>,
}

/// `plan.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    sweep: String,
    search: Choice,
    metric: String,
    /// Whether a lower value of it is better, as of a cross entropy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lower_is_better: bool,
    #[serde(default)]
    launcher: Map<String, Value>,
    cells: Vec<Line>,
}

/// The runs of a sweep, in order.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The sweep's name.
    pub name: String,
    /// The sweep's folder.
    pub folder: PathBuf,
    /// The search, which finds the cells. A search that draws in rounds has the cells drawn so far.
    pub search: Choice,
    /// The metric that selects checkpoints and that a search optimises.
    pub metric: String,
    /// Whether a lower value of it is better.
    pub lower_is_better: bool,
    /// `[launcher]` of the sweep file.
    pub launcher: Map<String, Value>,
    /// The runs.
    pub cells: Vec<Cell>,
}

impl Cell {
    /// A cell of the sweep in the folder `sweep`.
    pub(super) fn new(sweep: &Path, key: String, record: CellRecord, device: String, threads: usize) -> Self {
        let folder = sweep.join("runs").join(&key);
        Self { key, record, device, threads, stages: Vec::new(), experiment: None, identity: None, from: None, folder }
    }

    /// The run lies under another name in the sweep's folder.
    pub(super) fn lies_in(&mut self, sweep: &Path, from: String) {
        self.folder = sweep.join("runs").join(&from);
        self.from = Some(from);
    }

    /// Returns the name of the folder in which the run was found, if that is not its own. The sweep renames it when it
    /// runs.
    #[must_use]
    pub fn found_as(&self) -> Option<&str> {
        self.from.as_deref()
    }

    /// The run lies there, under the cell's own name.
    pub(super) fn lies_at(&mut self, folder: PathBuf) {
        self.folder = folder;
    }

    /// Returns whether a run of that name is this run. Names end in the identity, whatever an earlier sweep file called
    /// the run.
    #[must_use]
    pub fn is_called(&self, key: &str) -> bool {
        let id = self.record.id.get(..8);
        key == self.key
            || id.is_some_and(|id| key.strip_suffix(id).is_some_and(|rest| rest.is_empty() || rest.ends_with('-')))
    }

    /// Returns the run's folder, which need not exist.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the experiment to start from, in the run's folder.
    #[must_use]
    pub fn experiment_file(&self) -> PathBuf {
        self.folder.join(EXPERIMENT)
    }

    /// Returns the text of the experiment: as it was planned just now, or as it lies in the run's folder.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn experiment_text(&self) -> anyhow::Result<String> {
        if let Some(text) = &self.experiment {
            return Ok(text.clone());
        }
        let path = self.experiment_file();
        std::fs::read_to_string(&path).with_context(|| format!("{}: cannot be read", path.display()))
    }

    /// Returns the state of the run, from its folder. A finished run whose identity is not that of the cell counts as
    /// failed, with the reason.
    #[must_use]
    pub fn state(&self) -> State {
        let mut state = State::of_run(&self.folder);
        if state.state == RunState::Finished
            && let Some(message) = self.mismatch()
        {
            (state.state, state.error) = (RunState::Failed, Some(message));
        }
        state
    }

    /// Returns the problem with the identity of the run in the folder, if there is one.
    #[must_use]
    pub fn mismatch(&self) -> Option<String> {
        match Identity::of_run(&self.folder) {
            Ok(None) => None,
            Ok(Some(found)) if found.id == self.record.id => None,
            Ok(Some(found)) => {
                let differences = self.identity.as_ref().map(|asked| asked.differences(&found)).unwrap_or_default();
                let what = if differences.is_empty() { "identity".to_owned() } else { differences.join(", ") };
                Some(format!(
                    "is another run than the cell asks for, in its {what}: it is {}, asked for is {}",
                    found.id, self.record.id
                ))
            }
            Err(error) => Some(format!("{error:#}")),
        }
    }

    /// Moves a run of another identity out of the way, beside it: it is kept, and the cell starts anew.
    ///
    /// # Errors
    /// The folder cannot be moved or made.
    pub(super) fn make_room(&self) -> anyhow::Result<()> {
        let Some(found) = Identity::of_run(&self.folder)?.filter(|found| found.id != self.record.id) else {
            return Ok(());
        };
        let aside = self.folder.with_file_name(format!("{}-other-{}", self.key, found.id));
        let failed = || format!("{}: cannot be moved to {}", self.folder.display(), aside.display());
        anyhow::ensure!(!aside.exists(), "{}: a run of that identity was set aside already", aside.display());
        std::fs::rename(&self.folder, &aside).with_context(failed)?;
        std::fs::create_dir_all(&self.folder).with_context(failed)?;
        for name in [CELL, EXPERIMENT] {
            std::fs::copy(aside.join(name), self.folder.join(name)).with_context(failed)?;
        }
        State::default().write(&self.folder)
    }

    /// Returns the score of the selected checkpoint on the validation images, where higher is better; `None` if the run
    /// is not finished or has no score.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        let text = std::fs::read(RunFolder::at(&self.folder).summary()).ok()?;
        let summary: Value = serde_json::from_slice(&text).ok()?;
        if summary.get("selected_on_test").and_then(Value::as_bool) == Some(true) {
            return None;
        }
        summary.get("best_score")?.as_f64()
    }

    /// Makes the folder and writes what is planned, where it differs from what lies there.
    fn write(&self) -> anyhow::Result<()> {
        let failed = || format!("{}: cannot be made", self.folder.display());
        std::fs::create_dir_all(&self.folder).with_context(failed)?;
        let record = serde_json::to_string_pretty(&self.record)? + "\n";
        write_changed(&self.folder.join(CELL), &record)?;
        if let Some(experiment) = &self.experiment {
            write_changed(&self.experiment_file(), experiment)?;
        }
        if !self.folder.join(super::run_state::STATE).is_file() {
            State::default().write(&self.folder)?;
        }
        Ok(())
    }
}

impl Plan {
    /// Opens the folder of a sweep that was started, or written by [`Plan::write`], without reading sweep file, data or
    /// weights.
    ///
    /// # Errors
    /// A folder without a plan, or with one that cannot be read.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(PLAN);
        anyhow::ensure!(
            path.is_file(),
            "{}: no sweep was started here: there is no {PLAN}; `mga sweep FILE --out {0}` starts one",
            folder.display()
        );
        let listed: Listed = read_json(&path)?;
        let cells = listed.cells.into_iter().map(|line| {
            let Line { key, id, device, threads, stages } = line;
            let record: CellRecord = read_json(&folder.join("runs").join(&key).join(CELL))?;
            let record = CellRecord { id, ..record };
            Ok(Cell { stages, ..Cell::new(folder, key, record, device, threads) })
        });
        Ok(Self {
            name: listed.sweep,
            folder: folder.to_path_buf(),
            search: listed.search,
            metric: listed.metric,
            lower_is_better: listed.lower_is_better,
            launcher: listed.launcher,
            cells: cells.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Writes every cell's folder, then the list of the cells in force. What lies there already stays, under the name of its
    /// cell; returns the runs that were found under other names ([`Plan::take_over`]).
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write(&mut self, busy: &dyn Fn(&Cell) -> bool) -> anyhow::Result<Vec<TakenOver>> {
        let taken = self.take_over(busy)?;
        self.cells.iter().try_for_each(Cell::write)?;
        let line = |cell: &Cell| Line {
            key: cell.key.clone(),
            id: cell.record.id.clone(),
            device: cell.device.clone(),
            threads: cell.threads,
            stages: cell.stages.clone(),
        };
        let listed = Listed {
            sweep: self.name.clone(),
            search: self.search.clone(),
            metric: self.metric.clone(),
            lower_is_better: self.lower_is_better,
            launcher: self.launcher.clone(),
            cells: self.cells.iter().map(line).collect(),
        };
        write_changed(&self.folder.join(PLAN), &(serde_json::to_string_pretty(&listed)? + "\n"))?;
        Ok(taken)
    }

    /// Returns the cell with that key, or at that position in the order, from 0. Otherwise it returns the cell whose
    /// run had that key earlier, because tasks may wait in a queue under an older name.
    ///
    /// # Errors
    /// There is none.
    pub fn cell(&self, key_or_index: &str) -> anyhow::Result<&Cell> {
        let by_key = self.cells.iter().find(|cell| cell.key == key_or_index);
        let by_index = || key_or_index.parse::<usize>().ok().and_then(|index| self.cells.get(index));
        let by_id = || self.cells.iter().find(|cell| cell.is_called(key_or_index));
        by_key.or_else(by_index).or_else(by_id).with_context(|| {
            let meant = mga_experiment::nearest(key_or_index, self.cells.iter().map(|cell| cell.key.as_str()));
            let meant = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
            let (folder, count) = (self.folder.display(), self.cells.len());
            format!("{folder}: no run `{key_or_index}` is planned{meant}; there are {count}, from 0")
        })
    }
}

pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let unreadable = || format!("{}: cannot be read", path.display());
    serde_json::from_slice(&std::fs::read(path).with_context(unreadable)?).with_context(unreadable)
}

/// Writes a file unless it holds that text already.
pub(super) fn write_changed(path: &Path, text: &str) -> anyhow::Result<()> {
    if std::fs::read(path).is_ok_and(|present| present == text.as_bytes()) {
        return Ok(());
    }
    write_all(path, text.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))
}
