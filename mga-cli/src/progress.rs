//! The messages of an active run: to people a bar on a terminal and a line an epoch elsewhere, to machines one JSON
//! object a line.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use mga_experiment::{Experiment, Metric, Metrics, Unit};
use mga_registry::Entry;
use mga_train::Trained;
use mga_train::checkpoint::Progress;
use mga_train::progress::{Counter, EpochEnd, Listener, ProgressReport, percent};
use serde_json::{Value, json};

use crate::images_bar::images_bar;
use crate::output::print;
use crate::terminal_text::VisibleText;

/// The messages of a command about a run, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Voice {
    /// Whether only the result is shown.
    pub quiet: bool,
    /// JSON on standard output, in place of text.
    pub json: bool,
}

impl Voice {
    /// Prints the results of a finished run as text, or its `summary.json` as one line.
    ///
    /// # Errors
    /// Standard output cannot be written; the summary cannot be read.
    pub fn result(self, trained: &Trained) -> anyhow::Result<()> {
        if !self.json {
            return Ok(print(&trained.text)?);
        }
        let path = trained.folder.summary();
        let failed = || format!("{}: cannot be read", path.display());
        let mut line: Value =
            serde_json::from_slice(&std::fs::read(&path).with_context(failed)?).with_context(failed)?;
        line["kind"] = json!("result");
        line["folder"] = json!(trained.folder.path());
        Ok(print(line.to_string() + "\n")?)
    }
}

impl Listener for Voice {
    fn say(&self, line: &str) {
        if !self.quiet {
            say!("{line}");
        }
    }

    fn images(&self, images: usize) -> Box<dyn Counter> {
        Box::new(ImagesBar(if self.quiet || images == 0 { ProgressBar::hidden() } else { images_bar(images) }))
    }

    fn run(&self, experiment: &Experiment, metric: Option<&Entry<Metrics>>) -> Arc<dyn ProgressReport> {
        if self.json {
            Arc::new(JsonLines::new(experiment.schedule.epochs).of_stage(experiment.stage()))
        } else {
            Arc::new(Terminal::new(experiment.schedule.epochs, metric, self.quiet).of_stage(experiment.stage()))
        }
    }
}

/// A bar that is gone when it is dropped.
struct ImagesBar(ProgressBar);

impl Counter for ImagesBar {
    fn one_more(&self) {
        self.0.inc(1);
    }
}

impl Drop for ImagesBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A bar on a terminal, quiet lines elsewhere, all on standard error.
pub struct Terminal {
    bar: ProgressBar,
    epochs: usize,
    metric: Option<Entry<Metrics>>,
    live: bool,
    quiet: bool,
    last: Mutex<Last>,
    /// What stands before its lines: the stage, where the run has some.
    stage: String,
}

/// What was last heard.
struct Last {
    /// Of the last step; `None`: this process made none yet, as where it went on right before an evaluation.
    loss: Option<f64>,
    /// Current and best score, for the bar.
    scores: String,
    started: bool,
}

impl Terminal {
    /// Creates the progress of a run of `epochs` epochs that `metric` selects. `quiet` shows nothing.
    #[must_use]
    pub fn new(epochs: usize, metric: Option<&Entry<Metrics>>, quiet: bool) -> Self {
        let live = std::io::stderr().is_terminal() && !quiet;
        let bar = if live { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let template = "{prefix} [{bar:24}] {pos}/{len} {msg} {elapsed} (left {eta})";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        let last = Mutex::new(Last { loss: None, scores: String::new(), started: false });
        Self { bar, epochs, metric: metric.cloned(), live, quiet, last, stage: String::new() }
    }

    /// Returns the same for a stage of a run.
    #[must_use]
    pub fn of_stage(mut self, stage: Option<&str>) -> Self {
        self.stage = stage.map(|stage| format!("{stage}: ")).unwrap_or_default();
        self
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProgressReport for Terminal {
    fn step(&self, progress: &Progress, batches: usize, loss: f64, images_per_second: f64) {
        let mut last = self.last();
        last.loss = Some(loss);
        if last.scores.is_empty() && progress.best.is_some() {
            last.scores =
                format!("  best {}", score(self.metric.as_ref().map(|metric| metric.item.as_ref()), progress.best));
        }
        self.bar.name(&format!("{}epoch {}/{}", self.stage, progress.epoch + 1, self.epochs));
        self.bar.set_length((batches * self.epochs) as u64);
        self.bar.set_position((progress.epoch * batches + progress.batch) as u64);
        if !last.started {
            // What a resumed run did before says nothing of how fast it is now.
            self.bar.reset_eta();
            last.started = true;
        }
        self.bar.tell(&format!("loss {loss:.3}  {images_per_second:.0} img/s{} ", last.scores));
    }

    fn evaluating(&self, split: &str, images: usize) {
        self.bar.tell(&format!("evaluating {images} {split} images{} ", self.last().scores));
    }

    fn evaluated(&self, _images: usize) {
        self.bar.tick();
    }

    fn epoch(&self, ended: &EpochEnd<'_>) {
        let mut last = self.last();
        if ended.score.is_some() {
            let metric = self.metric.as_ref();
            let shown = |value| score(metric.map(|metric| metric.item.as_ref()), value);
            let (name, now, best) =
                (metric.map_or("score", |m| m.name.as_str()), shown(ended.score), shown(ended.best));
            last.scores = format!("  {name} {now} (best {best})");
        }
        if self.quiet {
            return;
        }
        let mut line = format!("{}epoch {:>3}/{}", self.stage, ended.epoch + 1, self.epochs);
        if let Some(loss) = last.loss {
            line += &format!("  loss {loss:.4}");
        }
        if let Some(shown) = ended.shown {
            line += &format!("  {shown}");
        }
        line += if ended.better { "  *" } else { "" };
        if self.live { self.bar.say(&line) } else { say!("{line}") }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Progress as one JSON object per line on standard output. `"kind"` is `"step"`, `"evaluating"` or `"epoch"`, and at
/// the end of a run `"result"` ([`Voice::result`]). Epochs count from 0, as in `metrics.jsonl`.
pub struct JsonLines {
    epochs: usize,
    /// When the first step of this process was made, and how many batches were done by then.
    begun: Mutex<Option<(Instant, usize)>>,
    /// The stage, where the run has some: `"stage"` of its lines.
    stage: Option<String>,
}

impl JsonLines {
    /// Creates the progress of a run of `epochs` epochs.
    #[must_use]
    pub fn new(epochs: usize) -> Self {
        Self { epochs, begun: Mutex::new(None), stage: None }
    }

    /// Returns the same for a stage of a run.
    #[must_use]
    pub fn of_stage(self, stage: Option<&str>) -> Self {
        Self { stage: stage.map(str::to_owned), ..self }
    }

    fn write(&self, mut line: Value) {
        if let Some(stage) = &self.stage {
            line["stage"] = json!(stage);
        }
        // A run does not end because nobody listens any more.
        let _ = print(line.to_string() + "\n");
    }
}

impl ProgressReport for JsonLines {
    fn step(&self, progress: &Progress, batches: usize, loss: f64, images_per_second: f64) {
        let done = progress.epoch * batches + progress.batch;
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, before) = *begun.get_or_insert((Instant::now(), done));
        let left = (batches * self.epochs).saturating_sub(done) as f64;
        let seconds_left = (done > before).then(|| start.elapsed().as_secs_f64() / (done - before) as f64 * left);
        self.write(json!({
            "kind": "step", "step": progress.step, "epoch": progress.epoch, "epochs": self.epochs,
            "batch": progress.batch, "batches": batches, "loss": loss, "images_per_second": images_per_second,
            "seconds": progress.seconds, "seconds_left": seconds_left,
        }));
    }

    fn evaluating(&self, split: &str, images: usize) {
        self.write(json!({ "kind": "evaluating", "split": split, "images": images }));
    }

    fn evaluated(&self, _images: usize) {}

    fn epoch(&self, ended: &EpochEnd<'_>) {
        self.write(json!({
            "kind": "epoch", "epoch": ended.epoch, "epochs": self.epochs, "score": ended.score, "best": ended.best,
            "better": ended.better, "evaluation": ended.line,
        }));
    }
}

/// A score, of which higher is better, as people read its metric.
fn score(metric: Option<&Metric>, value: Option<f64>) -> String {
    match metric {
        Some(metric) if metric.unit == Unit::Number => {
            value.map_or_else(|| "-".to_owned(), |value| format!("{:.4}", metric.score(value)))
        }
        _ => percent(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_read_as_their_metric() {
        let kinds = mga_core::components();
        let metric = |name: &str| kinds.get::<Metrics>(name).map(|metric| metric.item.as_ref());
        assert_eq!(score(metric("top1"), Some(0.935)), "93.5 %");
        assert_eq!((score(metric("cross_entropy"), Some(-0.25)), percent(None)), ("0.2500".to_owned(), "-".to_owned()));
    }
}
