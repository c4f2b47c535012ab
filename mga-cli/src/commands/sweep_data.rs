//! What a sweep says of its data before it starts: what `mga data check` would find, as far as no image need be decoded.

use mga_core::wording::counted;
use mga_sweep::{Plan, Planner, RunState};

/// Problems that are told.
const TOLD: usize = 5;

/// What was found in the data of all runs.
pub(super) struct SweepData {
    settings: usize,
    problems: Vec<String>,
    notes: usize,
    command: String,
}

impl SweepData {
    /// The data that were opened for the plan; `command` looks at them in full.
    pub(super) fn of(planner: &Planner<'_>, command: String) -> Self {
        let mut problems: Vec<String> = Vec::new();
        let (mut settings, mut notes) = (0, Vec::new());
        for report in planner.data_reports() {
            settings += 1;
            for (all, found) in [(&mut problems, report.problems()), (&mut notes, report.notes())] {
                let new: Vec<String> = found.into_iter().filter(|line| !all.contains(line)).collect();
                all.extend(new);
            }
        }
        Self { settings, problems, notes: notes.len(), command }
    }

    /// The line for people; empty where nothing was looked at.
    pub(super) fn line(&self) -> Option<String> {
        let what = |count: usize, one: &str, many: &str| {
            if count == 0 { format!("no {one}") } else { counted(count, one, many) }
        };
        let (problems, notes) = (what(self.problems.len(), "problem", "problems"), what(self.notes, "note", "notes"));
        let settings = counted(self.settings, "setting", "settings");
        let line = format!("data: {settings} looked at without decoding: {problems}, {notes}; all: {}", self.command);
        (self.settings > 0).then_some(line)
    }

    /// Refuses to start the runs of `plan` on data with problems. Of a sweep that has begun they are told alone: its runs
    /// are what they are.
    ///
    /// # Errors
    /// There are problems, and no run has begun.
    pub(super) fn settle(&self, plan: &Plan) -> anyhow::Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let mut told: String = self.problems.iter().take(TOLD).map(|line| format!("\n  {line}")).collect();
        if self.problems.len() > TOLD {
            told += &format!("\n  and {} more", self.problems.len() - TOLD);
        }
        let number = counted(self.problems.len(), "problem", "problems");
        if plan.cells.iter().any(|cell| cell.state().state != RunState::Waiting) {
            say!("warning: {number} with the data; the sweep has begun, and goes on:{told}");
            return Ok(());
        }
        anyhow::bail!(
            "{number} with the data:{told}\n`{}` shows all; --no-data-check starts the sweep all the same",
            self.command
        )
    }
}
