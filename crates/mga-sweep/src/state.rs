//! How far a run of a sweep has come: `state.json`, and what the folder itself shows.

use std::path::Path;

use anyhow::Context;
use mga_core::whole_file::write_all;
use mga_train::folder_lock::FolderLock;
use mga_train::run_folder::RunFolder;
use serde::{Deserialize, Serialize};

/// Its file in a run's folder.
pub const STATE: &str = "state.json";

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Planned, and not started yet.
    Waiting,
    /// A process works on it.
    Running,
    /// Its `summary.json` is there.
    Finished,
    /// It ended with an error.
    Failed,
    /// It was ended from outside, and goes on from its checkpoint.
    Interrupted,
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// `state.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Where the run stands.
    pub state: Standing,
    /// How often it was started, resumptions included.
    pub attempts: u32,
    /// What it ended with, where it failed.
    pub error: Option<String>,
    /// Seconds that its processes ran, all attempts together.
    pub seconds: f64,
    /// The process that works on it.
    pub process: Option<Process>,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// On which machine.
    pub host: String,
}

impl Default for State {
    fn default() -> Self {
        Self { state: Standing::Waiting, attempts: 0, error: None, seconds: 0.0, process: None }
    }
}

impl State {
    /// The state of the run in `folder`, whatever became of the process that wrote it last: what has a summary is finished,
    /// and what nobody works on is not running. Nothing is written.
    #[must_use]
    pub fn of_run(folder: &Path) -> Self {
        let mut state = Self::of_file(folder).unwrap_or_default();
        if RunFolder::at(folder).summary().is_file() {
            (state.state, state.error, state.process) = (Standing::Finished, None, None);
            return state;
        }
        match (state.state, FolderLock::holder(folder)) {
            (_, Some(_)) => state.state = Standing::Running,
            // A copy of a finished run that lost its summary is not finished.
            (Standing::Running | Standing::Finished, None) => {
                (state.state, state.process) = (Standing::Interrupted, None);
            }
            _ => {}
        }
        state
    }

    /// The state as it was written last; `None`: none was, or it cannot be read.
    #[must_use]
    pub fn of_file(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(STATE)).ok()?).ok()
    }

    /// Writes the state, by rename.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(STATE);
        let text = serde_json::to_string_pretty(self)? + "\n";
        write_all(&path, text.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_written_and_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(State::of_file(folder.path()), None);
        let written = State { attempts: 2, seconds: 0.1 + 0.2, ..State::default() };
        written.write(folder.path()).unwrap();
        assert_eq!(State::of_file(folder.path()), Some(written));
    }
}
