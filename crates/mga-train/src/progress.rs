//! The progress of a run, and its receivers. A program that shows it to people implements [`Listener`].

use std::sync::Arc;

use mga_experiment::{Experiment, Metrics};
use mga_registry::Entry;
use serde_json::Value;

use crate::checkpoint::Progress;

/// Hears what a run has to say. The library itself prints nothing.
pub trait Listener: Sync {
    /// Hears a line for people: what was found, decided or left out.
    fn say(&self, line: &str);

    /// Follows work over `images` images, which ends when the counter is dropped.
    fn images(&self, images: usize) -> Box<dyn Counter>;

    /// Follows a run of this experiment; `metric` is the one that selects its checkpoint.
    fn run(&self, experiment: &Experiment, metric: Option<&Entry<Metrics>>) -> Arc<dyn ProgressReport>;
}

/// Counts images that are done.
pub trait Counter: Send + Sync {
    /// One image more is done.
    fn one_more(&self);
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Listener for Silent {
    fn say(&self, _: &str) {}

    fn images(&self, _: usize) -> Box<dyn Counter> {
        Box::new(Self)
    }

    fn run(&self, _: &Experiment, _: Option<&Entry<Metrics>>) -> Arc<dyn ProgressReport> {
        Arc::new(Self)
    }
}

impl Counter for Silent {
    fn one_more(&self) {}
}

impl ProgressReport for Silent {
    fn step(&self, _: &Progress, _: usize, _: f64, _: f64) {}

    fn evaluating(&self, _: &str, _: usize) {}

    fn evaluated(&self, _: usize) {}

    fn epoch(&self, _: &EpochEnd<'_>) {}
}

/// Hears of a run's progress.
pub trait ProgressReport: Send + Sync {
    /// An optimiser step was made; `batches` is the epoch's number of micro-batches.
    fn step(&self, progress: &Progress, batches: usize, loss: f64, images_per_second: f64);
    /// An evaluation of `images` images begins.
    fn evaluating(&self, split: &str, images: usize);
    /// `images` more were evaluated.
    fn evaluated(&self, images: usize);
    /// An epoch is over.
    fn epoch(&self, ended: &EpochEnd<'_>);
}

/// An epoch that is over.
#[derive(Debug, Clone, Copy)]
pub struct EpochEnd<'a> {
    /// The number of the epoch, from 0.
    pub epoch: usize,
    /// The numbers of its evaluation, for people; `None`: it was not evaluated.
    pub shown: Option<&'a str>,
    /// The line in `metrics.jsonl`.
    pub line: Option<&'a Value>,
    /// The number that selects; higher is better.
    pub score: Option<f64>,
    /// The best so far, with this epoch.
    pub best: Option<f64>,
    /// Whether this epoch's is the best so far.
    pub better: bool,
}

/// Returns a fraction as people read it.
#[must_use]
pub fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{:.1} %", 100.0 * value))
}
