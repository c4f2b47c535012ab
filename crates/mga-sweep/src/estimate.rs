//! About how long a sweep will take, and what that rests on.

use std::process::{Command, Stdio};

use mga_train::run_folder::RunFolder;
use mga_train::runners::timing::Timed;

use super::follower::duration;
use super::plan::Cell;
use super::run_state::RunState;
use super::share::Share;
use super::state::State;

/// An estimate of the time of a run, and its source.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Seconds of one run.
    pub run_seconds: f64,
    /// Finished runs it is the mean of; 0: it was measured on steps.
    pub runs: usize,
    /// The source of the estimate, in words.
    pub from: String,
}

impl Estimate {
    /// Returns the mean of the finished runs of a sweep; `None` if there are none.
    #[must_use]
    pub fn of_finished<'a>(cells: impl Iterator<Item = (&'a Cell, &'a State)>) -> Option<Self> {
        let seconds: Vec<f64> = cells
            .filter(|(_, state)| state.state == RunState::Finished)
            .filter_map(|(cell, state)| if state.seconds > 0.0 { Some(state.seconds) } else { trained(cell) })
            .collect();
        let runs = seconds.len();
        (runs > 0).then(|| Self {
            run_seconds: seconds.iter().sum::<f64>() / runs as f64,
            runs,
            from: format!("the mean of {runs} finished run{}", if runs == 1 { "" } else { "s" }),
        })
    }

    /// Estimates the time from some steps of a planned run, in a process of its own. Returns `None` if they cannot be
    /// timed, whatever the reason: the run itself will report it.
    #[must_use]
    pub fn of_steps(cell: &Cell, share: &Share) -> Option<Self> {
        let sweep = cell.folder().parent()?.parent()?;
        let mut command = Command::new(std::env::current_exe().ok()?);
        command.arg("--offline").arg("sweep-task").arg(sweep).arg(&cell.key).arg("--time");
        share.apply(cell, &mut command);
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        let timed: Timed = serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())?;
        Some(Self { run_seconds: timed.seconds, runs: 0, from: format!("{} steps of the first run", timed.steps) })
    }

    /// Returns the time for `runs` runs, `jobs` at a time.
    #[must_use]
    pub fn seconds(&self, runs: usize, jobs: usize) -> f64 {
        self.run_seconds * runs.div_ceil(jobs.max(1)) as f64
    }

    /// Describes the estimate for `runs` runs, `jobs` at a time.
    #[must_use]
    pub fn told(&self, runs: usize, jobs: usize) -> String {
        let (all, one) = (duration(self.seconds(runs, jobs)), duration(self.run_seconds));
        format!("about {all}: {one} a run, from {}", self.from)
    }
}

/// Seconds of training as the run itself counted them.
fn trained(cell: &Cell) -> Option<f64> {
    let text = std::fs::read(RunFolder::at(cell.folder()).summary()).ok()?;
    serde_json::from_slice::<serde_json::Value>(&text).ok()?.get("training_seconds")?.as_f64()
}
