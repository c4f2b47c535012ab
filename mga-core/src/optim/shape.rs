//! Schedules as a kind of component: shapes of the learning rate over the epochs.

use mga_registry::{FromSettings, Kind};

use crate::error::Result;

/// The kind of component that `schedule.name` names.
#[derive(Debug, Clone, Copy)]
pub struct Schedules;

impl Kind for Schedules {
    type Item = FromSettings<dyn ScheduleShape>;
    const TITLE: &'static str = "schedules";
    const KEY: &'static str = "schedule.name";
}

/// A shape of the learning rate: the settings that stand beside `name` in `[schedule]`.
pub trait ScheduleShape: Send + Sync {
    /// Returns what multiplies the learning rates at a step. It depends on `at` alone, so that a run that goes on has the
    /// rates that it would have had.
    fn factor(&self, at: &Behind) -> f64;

    /// Says what is wrong with the settings, beyond what their schema says.
    ///
    /// # Errors
    /// A setting out of range, at its key.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Returns whether the learning rate ever falls, so that `schedule.min_learning_rate` can hold it.
    fn falls(&self) -> bool {
        true
    }

    /// Returns whether the learning rate changes within so many epochs; where it does not, the shape's settings do nothing.
    fn changes_within(&self, _epochs: usize) -> bool {
        true
    }
}

/// The position of a step after the warm-up, counted from 0 at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Behind {
    /// The epoch.
    pub epoch: usize,
    /// The optimiser's step within the epoch.
    pub step: usize,
    /// The optimiser's steps of one epoch.
    pub steps_per_epoch: usize,
    /// The epochs behind the warm-up.
    pub epochs: usize,
    /// `schedule.min_learning_rate` as a share of the learning rate at the start, 0 to 1: no factor is below it.
    pub floor: f64,
}

impl Behind {
    /// Returns the share of the epochs that has passed, 0 to 1. It changes from epoch to epoch.
    #[must_use]
    pub fn passed(&self) -> f64 {
        (self.epoch as f64 / self.epochs.max(1) as f64).min(1.0)
    }

    /// Returns the factor that lies so far above the floor: the floor itself for 0, and 1 for 1.
    #[must_use]
    pub fn above_floor(&self, share: f64) -> f64 {
        self.floor + (1.0 - self.floor) * share
    }
}
