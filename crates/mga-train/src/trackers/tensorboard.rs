//! The tracker `tensorboard`: an event file in the run's folder.

use std::sync::Arc;

use anyhow::Context;
use mga_registry::{Entry, OwnSettings, SettingFault};
use serde_json::Value;

use super::event_file::{EventFile, FILE};
use super::tracker::{RegisteredTracker, TrackedRun, Tracker, Trackers};

struct TensorBoard;

pub(super) fn entry() -> Entry<Trackers> {
    Entry::<Trackers>::new("tensorboard", "TensorBoard's event file, in the run's folder", Arc::new(TensorBoard))
}

impl RegisteredTracker for TensorBoard {
    fn build(&self, _: &OwnSettings<'_>) -> Result<Box<dyn Tracker>, SettingFault> {
        Ok(Box::new(Events { file: None }))
    }
}

struct Events {
    file: Option<EventFile>,
}

impl Tracker for Events {
    fn begins(&mut self, run: &TrackedRun<'_>) -> anyhow::Result<()> {
        self.file = Some(EventFile::open(&run.folder.path().join(FILE), run.log)?);
        Ok(())
    }

    fn line(&mut self, line: &Value) -> anyhow::Result<()> {
        self.file.as_mut().context("the event file is not open")?.append(line)
    }
}
