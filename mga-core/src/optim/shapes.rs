//! The shapes of the learning rate that this crate has.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::require::require;
use super::shape::{Behind, ScheduleShape};
use crate::error::Result;

/// Half a cosine from the start down to the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct Cosine {}

/// Always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct Constant {}

/// Multiplied by `gamma` every so many epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StepSettings {
    /// Epochs between two steps.
    #[schemars(range(min = 1))]
    pub every: usize,
    /// What the learning rate is multiplied by at each step.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub gamma: f64,
}

/// (1 - epoch / epochs) to a power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PolynomialSettings {
    /// The power; 1 is a straight line.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub power: f64,
}

impl Default for StepSettings {
    fn default() -> Self {
        Self { every: 30, gamma: 0.1 }
    }
}

impl Default for PolynomialSettings {
    fn default() -> Self {
        Self { power: 0.9 }
    }
}

/// Without warm-up and floor: `(1 + cos(pi epoch / epochs)) / 2`.
impl ScheduleShape for Cosine {
    fn factor(&self, at: &Behind) -> f64 {
        at.above_floor((1.0 + (PI * at.passed()).cos()) / 2.0)
    }
}

impl ScheduleShape for Constant {
    fn factor(&self, _: &Behind) -> f64 {
        1.0
    }

    fn falls(&self) -> bool {
        false
    }
}

/// It falls as if there were no floor, and stops there.
impl ScheduleShape for StepSettings {
    fn factor(&self, at: &Behind) -> f64 {
        self.gamma.powf((at.epoch / self.every.max(1)) as f64)
    }

    fn check(&self) -> Result<()> {
        let &Self { every, gamma } = self;
        require(every >= 1, "schedule.every", "at least 1", every as f64)?;
        require(gamma > 0.0 && gamma <= 1.0, "schedule.gamma", "more than 0 and at most 1", gamma)
    }

    fn changes_within(&self, epochs: usize) -> bool {
        self.every < epochs
    }
}

impl ScheduleShape for PolynomialSettings {
    fn factor(&self, at: &Behind) -> f64 {
        at.above_floor((1.0 - at.passed()).powf(self.power))
    }

    fn check(&self) -> Result<()> {
        require(self.power > 0.0, "schedule.power", "more than 0", self.power)
    }
}
