//! Trackers: what hears of a run's numbers outside its log, each a plugin of its own.
//!
//! `trackers` of an experiment names them, by their names or by tables with settings. An experiment without that list has
//! TensorBoard's event file. A tracker is a file here or in another crate, and one line of registration; see [`Tracker`].

pub mod event_file;
mod tensorboard;
mod tracker;
mod tracking;

use mga_registry::Entry;

pub use tracker::{RegisteredTracker, RunEnd, TrackedRun, Tracker, Trackers};
pub use tracking::Tracking;

/// Returns the trackers of this workspace.
#[must_use]
pub fn builtin() -> Vec<Entry<Trackers>> {
    vec![tensorboard::entry()]
}
