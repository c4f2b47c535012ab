//! The messages of a sweep for people and machines: a bar on a terminal, lines elsewhere, objects with `--json`.

use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use mga_sweep::launchers::Teller;
use mga_sweep::{Cell, Estimate, Follower, Plan, RunState, Scores, State, TakenOver, duration};
use serde_json::{Value, json};

use crate::output::print;
use crate::terminal_text::VisibleText;

/// How a sweep is shown.
#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines,
    Json,
}

/// Follows a sweep and tells of it.
#[derive(Debug)]
pub(crate) struct Report {
    shown: Shown,
    jobs: usize,
    total: usize,
    finished: usize,
    failed: usize,
    interrupted: usize,
    under_way: Vec<String>,
    scores: Scores,
    /// The runs of the plan in force.
    cells: Vec<Cell>,
    /// How long the runs and the stages that they share take, once that is known.
    estimate: Option<Estimate>,
    begun: Instant,
}

impl Report {
    /// Of a sweep that has not begun.
    #[must_use]
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let shown = if json {
            Shown::Json
        } else if std::io::stderr().is_terminal() && !quiet {
            let bar = ProgressBar::new(0);
            let template = "runs [{bar:24}] {pos}/{len} {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.enable_steady_tick(std::time::Duration::from_millis(500));
            Shown::Bar(bar)
        } else {
            Shown::Lines
        };
        Self {
            shown,
            jobs: 1,
            total: 0,
            finished: 0,
            failed: 0,
            interrupted: 0,
            under_way: Vec::new(),
            scores: Scores::default(),
            cells: Vec::new(),
            estimate: None,
            begun: Instant::now(),
        }
    }

    fn say(&self, text: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.say(text),
            Shown::Lines => say!("{text}"),
            Shown::Json => {}
        }
    }

    fn print(&self, value: &Value) {
        if matches!(self.shown, Shown::Json) {
            // Whoever listened may have gone; the sweep goes on.
            let _ = print(value.to_string() + "\n");
        }
    }

    /// What came of it, in a line.
    #[must_use]
    fn outcome(&self) -> String {
        let mut parts = vec![format!("{} of {} runs are finished", self.finished, self.total)];
        for (count, what) in [(self.failed, "failed"), (self.interrupted, "interrupted")] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        if let Some(best) = self.scores.told() {
            parts.push(format!("best on validation: {best}"));
        }
        parts.join("; ")
    }

    /// The best arm for machines; null where no run has a score.
    #[must_use]
    fn best(&self) -> Value {
        self.scores.best().map_or(
            Value::Null,
            |best| json!({ "score": best.mean, "runs": best.runs, "of": best.of, "arm": best.name, "draw": best.draw }),
        )
    }

    fn count(&self) -> String {
        let width = self.total.to_string().len();
        format!("[{:>width$}/{}]", self.finished + self.failed, self.total)
    }

    fn left(&self) -> Option<f64> {
        let left = self.total.saturating_sub(self.finished + self.failed);
        let estimate = self.estimate.as_ref().filter(|_| left > 0)?;
        Some(estimate.seconds(left, self.jobs))
    }
}

impl Teller for Report {
    fn line(&mut self, text: &str) {
        self.say(text);
    }

    fn object(&mut self, value: Value) {
        self.print(&value);
    }

    /// Of runs that have not begun nothing is at stake, and people do not hear of them.
    fn taken_over(&mut self, taken: &[TakenOver]) {
        for run in taken {
            if run.state != RunState::Waiting {
                self.say(&run.told());
            }
            self.print(&json!({ "event": "taken-over", "from": run.from, "key": run.key, "state": run.state }));
        }
    }

    fn planned(&mut self, plan: &Plan) {
        self.cells.clone_from(&plan.cells);
        self.scores.planned(plan);
    }

    fn known(&mut self, cell: &Cell) {
        self.scores.take(cell);
    }

    fn standing(&mut self, total: usize, finished: usize, failed: usize) {
        (self.total, self.finished, self.failed) = (total, finished, failed);
        if let Shown::Bar(bar) = &self.shown {
            bar.set_length(total as u64);
        }
        self.tick();
    }

    fn at_once(&mut self, jobs: usize) {
        self.jobs = jobs;
    }

    fn expect(&mut self, estimate: Estimate) {
        self.estimate = Some(estimate);
    }

    fn end(&mut self, interrupted: bool) -> usize {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
        self.say(&self.outcome());
        let (failed, best) = (self.failed, self.best());
        self.print(&json!({ "event": "end", "failed": failed, "interrupted": interrupted, "best": best }));
        failed
    }
}

impl Follower for Report {
    fn started(&mut self, cell: &Cell) {
        self.under_way.push(cell.key.clone());
        match &self.shown {
            Shown::Json => self.print(&json!({ "event": "started", "key": cell.key })),
            Shown::Lines => say!("{} {} ...", self.count(), cell.key),
            Shown::Bar(_) => {}
        }
        self.tick();
    }

    fn elsewhere(&mut self, cell: &Cell) {
        match &self.shown {
            Shown::Json => self.print(&json!({ "event": "elsewhere", "key": cell.key })),
            _ => self.say(&format!("{}: another process works on it; waiting", cell.key)),
        }
    }

    fn ended(&mut self, cell: &Cell, state: &State, seconds: f64) {
        self.under_way.retain(|key| *key != cell.key);
        let score = match state.state {
            RunState::Finished => {
                self.finished += 1;
                let states: Vec<State> = self.cells.iter().map(Cell::state).collect();
                self.estimate = Estimate::of_finished(self.cells.iter().zip(&states)).or(self.estimate.take());
                self.scores.take(cell)
            }
            RunState::Failed => {
                self.failed += 1;
                None
            }
            _ => {
                self.interrupted += 1;
                None
            }
        };
        let left = self.left();
        if matches!(self.shown, Shown::Json) {
            self.print(&json!({
                "event": state.state, "key": cell.key, "seconds": seconds, "score": score, "error": state.error,
                "finished": self.finished, "failed": self.failed, "total": self.total, "seconds_left": left,
            }));
            return;
        }
        let what = match state.state {
            RunState::Finished => {
                let score = score.map_or_else(String::new, |score| format!(", validation {score:.4}"));
                let left = left.map_or_else(String::new, |left| format!("; about {} left", duration(left)));
                format!("finished after {}{score}{left}", duration(seconds))
            }
            RunState::Failed => format!("FAILED: {}", state.error.as_deref().unwrap_or("no message")),
            _ => "interrupted; it goes on from its checkpoint".to_owned(),
        };
        self.say(&format!("{} {} {what}", self.count(), cell.key));
        self.tick();
    }

    fn tick(&self) {
        let Shown::Bar(bar) = &self.shown else { return };
        bar.set_position((self.finished + self.failed) as u64);
        let mut parts = vec![duration(self.begun.elapsed().as_secs_f64())];
        if let Some(left) = self.left() {
            parts.push(format!("left {}", duration(left)));
        }
        if self.failed > 0 {
            parts.push(format!("{} failed", self.failed));
        }
        if let Some(best) = self.scores.told() {
            parts.push(format!("best {best}"));
        }
        if let Some(key) = self.under_way.last() {
            parts.push(format!("now {key}"));
        }
        bar.tell(&parts.join(" | "));
    }
}
