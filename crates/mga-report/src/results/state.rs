//! `state.json`: how far a sweep came with a run.

use serde::{Deserialize, Serialize};

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not begun.
    Waiting,
    /// Under way: a process works on it.
    Running,
    /// There is a summary.
    Finished,
    /// It ended with an error.
    Failed,
    /// It was stopped, or its process was killed; it can be resumed.
    Interrupted,
    /// A run outside a sweep without a summary: it may be under way, or stopped.
    Unfinished,
}

impl State {
    /// The word in files and tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Unfinished => "unfinished",
        }
    }
}

/// The file.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StateFile {
    pub(super) state: State,
    #[serde(default)]
    pub(super) attempts: u32,
    #[serde(default)]
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) seconds: Option<f64>,
}
