//! A run that counts as one that the sweep asks for, and was found under another name.

use super::run_state::RunState;

/// A run that was found under another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOver {
    /// The name it was found under.
    pub from: String,
    /// The name of its cell from now on. The same: it could not be renamed, and keeps its name for now.
    pub key: String,
    /// The state of the run.
    pub state: RunState,
}

impl TakenOver {
    /// Describes it in words.
    #[must_use]
    pub fn told(&self) -> String {
        let Self { from, key, state } = self;
        let state = state.word();
        if from == key {
            format!("{from} ({state}) is a run that the sweep file asks for: it counts, and keeps its name for now")
        } else {
            format!("{from} ({state}) is the same run as {key}: it is taken over under that name")
        }
    }
}
