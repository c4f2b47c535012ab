//! `state.json`: what a sweep wrote of a run.

use std::path::Path;

use anyhow::Context;
use mga_core::whole_file::write_all;
use serde::{Deserialize, Serialize};

use super::run_state::{RunState, STATE};

/// The state of a run of a sweep, as `state.json` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The state.
    pub state: RunState,
    /// The number of starts, resumptions included.
    #[serde(default)]
    pub attempts: u32,
    /// The error that the run ended with, if it failed.
    #[serde(default)]
    pub error: Option<String>,
    /// Seconds that its processes ran, all attempts together.
    #[serde(default)]
    pub seconds: f64,
    /// The process that works on it.
    #[serde(default)]
    pub process: Option<Process>,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The process id.
    pub id: u32,
    /// The name of the machine.
    pub host: String,
}

impl Default for State {
    fn default() -> Self {
        Self { state: RunState::Waiting, attempts: 0, error: None, seconds: 0.0, process: None }
    }
}

impl State {
    /// Reads the state of the run in `folder`, whatever became of the process that wrote it last: see
    /// [`RunState::of_run`]. Nothing is written.
    #[must_use]
    pub fn of_run(folder: &Path) -> Self {
        let said = Self::of_file(folder);
        let state = RunState::of_run(folder, said.as_ref().map(|said| said.state));
        Self { state, ..said.unwrap_or_default() }.settled()
    }

    /// Without the error and the process of another state.
    fn settled(mut self) -> Self {
        if self.state == RunState::Finished {
            self.error = None;
        }
        if matches!(self.state, RunState::Finished | RunState::Interrupted | RunState::Unfinished) {
            self.process = None;
        }
        self
    }

    /// Returns the state that was written last; `None` if there is none or it cannot be read.
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
