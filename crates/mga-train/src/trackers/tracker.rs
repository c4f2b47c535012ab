//! The interface of a tracker.

use mga_experiment::Experiment;
use mga_registry::{Kind, OwnSettings, SettingFault};
use serde_json::Value;

use crate::run_folder::RunFolder;

/// The kind of component that `trackers` names.
#[derive(Debug)]
pub struct Trackers;

impl Kind for Trackers {
    type Item = dyn RegisteredTracker;
    const TITLE: &'static str = "trackers";
    const KEY: &'static str = "trackers";
}

/// A tracker as it is registered.
pub trait RegisteredTracker: Send + Sync {
    /// Builds the tracker of one run from its settings. Nothing is opened yet.
    ///
    /// # Errors
    /// Settings that it cannot use, at their key.
    fn build(&self, settings: &OwnSettings<'_>) -> Result<Box<dyn Tracker>, SettingFault>;
}

/// A tracker of one run. What it returns as an error is told once, and the run goes on without it: a tracker has no say in
/// the numbers of a run.
pub trait Tracker {
    /// Is told that the run begins, or goes on after an interruption, before anything else.
    ///
    /// A run that goes on does again what came after its last checkpoint. [`TrackedRun::lines`] are those before it: what a
    /// tracker has beyond them comes again, and has to be dropped.
    ///
    /// # Errors
    /// What keeps the tracker from working.
    fn begins(&mut self, run: &TrackedRun<'_>) -> anyhow::Result<()>;

    /// Hears a line of the log: the object of a step (`"kind": "step"`), of an epoch's means (`"kind": "epoch"`) or of an
    /// evaluation (`"kind": "eval"`), as in `metrics.jsonl`.
    ///
    /// # Errors
    /// What keeps the tracker from taking it.
    fn line(&mut self, line: &Value) -> anyhow::Result<()>;

    /// Is told that the run ends here. A process that is killed tells nothing.
    ///
    /// # Errors
    /// What keeps the tracker from taking it.
    fn ends(&mut self, _end: RunEnd<'_>) -> anyhow::Result<()> {
        Ok(())
    }
}

/// A run that begins or goes on.
#[derive(Debug, Clone, Copy)]
pub struct TrackedRun<'a> {
    /// The resolved experiment.
    pub experiment: &'a Experiment,
    /// The run's folder.
    pub folder: &'a RunFolder,
    /// The text of `metrics.jsonl` up to the checkpoint that the run goes on from; empty of a run that begins.
    pub log: &'a str,
}

impl<'a> TrackedRun<'a> {
    /// Returns the lines of the log up to the checkpoint that the run goes on from, in their order.
    pub fn lines(&self) -> impl Iterator<Item = Value> + use<'a> {
        // The log was read when it was opened: all of its lines are JSON.
        self.log.lines().filter_map(|line| serde_json::from_str(line).ok())
    }
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd<'a> {
    /// It is trained and evaluated; `summary.json` is written.
    Finished,
    /// A signal came. The run can go on.
    Interrupted,
    /// An error ended it.
    Failed(&'a str),
}
