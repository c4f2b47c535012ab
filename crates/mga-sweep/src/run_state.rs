//! The state of a run: one word, and the one reader that sweeps, reports and lists of results share.

use std::path::Path;
use std::time::Duration;

use mga_train::folder_lock::FolderLock;
use mga_train::run_folder::RunFolder;
use serde::{Deserialize, Serialize};

/// The file that holds the word that was written last, in a run's folder.
pub const STATE: &str = "state.json";

/// A process that starts takes its lock well within this time.
const STARTING: Duration = Duration::from_secs(120);

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Planned, and not begun.
    Waiting,
    /// A process works on it.
    Running,
    /// Its `summary.json` is there.
    Finished,
    /// It ended with an error.
    Failed,
    /// It was ended from outside, and goes on from its checkpoint.
    Interrupted,
    /// It was begun and has no summary, and nothing says why: it may have been stopped, or its summary was lost.
    Unfinished,
}

impl RunState {
    /// Returns the word in files and tables.
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

    /// Returns the state of the run in `folder`. The folder overrides `state.json`: a run with a summary is finished,
    /// and a run whose lock is held is running, perhaps by hand.
    ///
    /// `said` is the word of `state.json`, where there is one.
    #[must_use]
    pub fn of_run(folder: &Path, said: Option<Self>) -> Self {
        let run = RunFolder::at(folder);
        if has_summary(&run) {
            return Self::Finished;
        }
        if FolderLock::holder(folder).is_some() {
            return Self::Running;
        }
        match said {
            // A run that is just starting has no lock yet.
            Some(Self::Running) if FolderLock::is_free(folder) || is_old(folder) => Self::Interrupted,
            // A copy of a finished run that lost its summary is not finished.
            Some(Self::Finished) => Self::Unfinished,
            // Begun by hand: no sweep has written of it since.
            Some(Self::Waiting) | None if run.experiment().exists() || run.summary().exists() => Self::Unfinished,
            Some(said) => said,
            None => Self::Waiting,
        }
    }
}

/// Whether there is a summary that can be read. A torn one counts for nothing.
fn has_summary(run: &RunFolder) -> bool {
    let text = std::fs::read(run.summary()).ok();
    text.is_some_and(|text| serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text).is_ok())
}

/// Whether the state was written too long ago for a process that is only starting.
fn is_old(folder: &Path) -> bool {
    let written = std::fs::metadata(folder.join(STATE)).and_then(|file| file.modified()).ok();
    written.and_then(|written| written.elapsed().ok()).is_some_and(|age| age > STARTING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_counts_for_more_than_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let of = |said| RunState::of_run(folder.path(), said);
        assert_eq!((of(None), of(Some(RunState::Failed))), (RunState::Waiting, RunState::Failed));
        std::fs::write(path("experiment.toml"), "seed = 1").unwrap();
        assert_eq!((of(None), of(Some(RunState::Waiting))), (RunState::Unfinished, RunState::Unfinished));
        assert_eq!(of(Some(RunState::Finished)), RunState::Unfinished);
        std::fs::write(path("summary.json"), "{\"split\": ").unwrap();
        assert_eq!(of(Some(RunState::Finished)), RunState::Unfinished);
        std::fs::write(path("summary.json"), "{}").unwrap();
        assert_eq!(of(Some(RunState::Failed)), RunState::Finished);
    }

    #[test]
    fn who_says_running_and_holds_no_lock_is_starting_or_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let of = || RunState::of_run(folder.path(), Some(RunState::Running));
        let state = folder.path().join(STATE);
        std::fs::write(&state, "{\"state\": \"running\"}").unwrap();
        assert_eq!(of(), RunState::Running);
        let long_ago = std::time::SystemTime::now() - 2 * STARTING;
        std::fs::File::options().write(true).open(&state).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(of(), RunState::Interrupted);
        let lock = FolderLock::take(folder.path(), "trains").unwrap();
        assert_eq!(of(), RunState::Running);
        std::fs::write(&state, "{\"state\": \"running\"}").unwrap();
        drop(lock);
        assert_eq!(of(), RunState::Interrupted);
    }
}
