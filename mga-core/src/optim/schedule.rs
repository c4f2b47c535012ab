//! How long to train, and the learning rate over time.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::require::require;
use crate::error::{Error, Result};

/// How long to train, and the learning rate over time, set anew each epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Schedule")]
pub struct ScheduleSettings {
    /// The shape of the learning rate over the epochs, by its `name`.
    #[serde(flatten)]
    pub shape: Shape,
    /// Times every training image is seen.
    #[serde(default = "epochs")]
    #[schemars(range(min = 1))]
    pub epochs: usize,
    /// Epochs over which the learning rate rises linearly to its start.
    #[serde(default)]
    pub warmup_epochs: usize,
    /// The learning rate never falls below this.
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    pub min_learning_rate: f64,
}

/// The shape of the learning rate over the epochs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Shape {
    /// Half a cosine from the start down to `min_learning_rate`.
    #[default]
    Cosine,
    /// Multiplied by `gamma` every so many epochs.
    Step(StepSettings),
    /// (1 - epoch / epochs) to a power.
    Polynomial(PolynomialSettings),
    /// Always the same.
    Constant,
}

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

impl Default for ScheduleSettings {
    fn default() -> Self {
        Self { shape: Shape::Cosine, epochs: epochs(), warmup_epochs: 0, min_learning_rate: 0.0 }
    }
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

fn epochs() -> usize {
    150
}

/// Where in training a step stands, all counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The epoch.
    pub epoch: usize,
    /// The optimiser's step within the epoch.
    pub step: usize,
    /// The optimiser's steps of one epoch.
    pub steps_per_epoch: usize,
}

impl ScheduleSettings {
    /// Says what is wrong with the settings beside a start at `learning_rate`.
    pub fn check(&self, learning_rate: f64) -> Result<()> {
        let whole = |key: &str, value: usize| require(value >= 1, key, "at least 1", value as f64);
        whole("schedule.epochs", self.epochs)?;
        if self.warmup_epochs > self.epochs {
            let Self { epochs, warmup_epochs, .. } = self;
            let what = format!("expected at most schedule.epochs, {epochs}, found {warmup_epochs}");
            return Err(Error::setting("schedule.warmup_epochs", what));
        }
        let expected = format!("at least 0 and at most optimiser.learning_rate, {learning_rate}");
        let inside = (0.0..=learning_rate).contains(&self.min_learning_rate);
        require(inside, "schedule.min_learning_rate", &expected, self.min_learning_rate)?;
        match &self.shape {
            Shape::Step(StepSettings { every, gamma }) => {
                whole("schedule.every", *every)?;
                require(*gamma > 0.0 && *gamma <= 1.0, "schedule.gamma", "more than 0 and at most 1", *gamma)
            }
            Shape::Polynomial(PolynomialSettings { power }) => {
                require(*power > 0.0, "schedule.power", "more than 0", *power)
            }
            Shape::Cosine | Shape::Constant => Ok(()),
        }
    }

    /// What multiplies the learning rates at a step: 1 at the start. `learning_rate` is the optimiser's main one, that
    /// `min_learning_rate` is a share of; rates of single parameters keep their ratio to it throughout.
    ///
    /// The factor changes with the epoch, as the authors do; only the warm-up rises with every step. The shape begins where
    /// the warm-up ends, fills the epochs that are left, and goes down to `min_learning_rate`.
    ///
    /// Cosine without warm-up: `(1 + cos(pi epoch / epochs)) / 2`. A warm-up of `n` steps in all: `(step + 1) / n`.
    #[must_use]
    pub fn factor(&self, learning_rate: f64, at: Position) -> f64 {
        if at.epoch < self.warmup_epochs {
            let steps = at.steps_per_epoch.max(1);
            return ((at.epoch * steps + at.step + 1) as f64 / (self.warmup_epochs * steps) as f64).min(1.0);
        }
        let floor = if learning_rate > 0.0 { self.min_learning_rate / learning_rate } else { 0.0 };
        let epoch = at.epoch - self.warmup_epochs;
        let passed = (epoch as f64 / self.epochs.saturating_sub(self.warmup_epochs).max(1) as f64).min(1.0);
        match &self.shape {
            Shape::Cosine => floor + (1.0 - floor) * (1.0 + (PI * passed).cos()) / 2.0,
            Shape::Step(StepSettings { every, gamma }) => gamma.powf((epoch / every.max(&1)) as f64).max(floor),
            Shape::Polynomial(PolynomialSettings { power }) => floor + (1.0 - floor) * (1.0 - passed).powf(*power),
            Shape::Constant => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(settings: &ScheduleSettings, learning_rate: f64, epochs: &[usize]) -> Vec<f64> {
        let at = |&epoch| Position { epoch, step: 3, steps_per_epoch: 4 };
        epochs.iter().map(|epoch| settings.factor(learning_rate, at(epoch))).collect()
    }

    fn close(found: &[f64], expected: &[f64]) {
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near && found.len() == expected.len(), "{found:?}, not {expected:?}");
    }

    #[test]
    fn shapes_over_the_epochs() {
        let of =
            |shape, epochs, min_learning_rate| ScheduleSettings { shape, epochs, warmup_epochs: 0, min_learning_rate };
        let third = 3.0f64.sqrt() / 4.0;
        close(
            &factors(&of(Shape::Cosine, 6, 0.0), 0.05, &[0, 1, 2, 3, 4, 6, 9]),
            &[1.0, 0.5 + third, 0.75, 0.5, 0.25, 0.0, 0.0],
        );
        close(&factors(&of(Shape::Cosine, 6, 0.01), 0.05, &[0, 3, 6]), &[1.0, 0.6, 0.2]);
        let step = Shape::Step(StepSettings { every: 2, gamma: 0.5 });
        close(&factors(&of(step, 6, 0.015), 0.05, &[0, 1, 2, 3, 4]), &[1.0, 1.0, 0.5, 0.5, 0.3]);
        let square = Shape::Polynomial(PolynomialSettings { power: 2.0 });
        close(&factors(&of(square, 4, 0.0), 0.05, &[0, 1, 2, 3, 4]), &[1.0, 0.5625, 0.25, 0.0625, 0.0]);
        close(&factors(&of(Shape::Constant, 4, 0.01), 0.05, &[0, 3]), &[1.0, 1.0]);
        close(&factors(&ScheduleSettings::default(), 0.05, &[75]), &[0.5]);
        assert_eq!(factors(&ScheduleSettings::default(), 0.0, &[0]), [1.0]);
    }

    #[test]
    fn warm_up_rises_with_every_step_and_hands_over_at_the_start() {
        let settings = ScheduleSettings { shape: Shape::Cosine, epochs: 6, warmup_epochs: 2, min_learning_rate: 0.0 };
        let at = |epoch, step| settings.factor(0.05, Position { epoch, step, steps_per_epoch: 4 });
        close(&[at(0, 0), at(0, 3), at(1, 1), at(1, 3)], &[0.125, 0.5, 0.75, 1.0]);
        close(&[at(2, 0), at(2, 3), at(4, 0)], &[1.0, 1.0, 0.5]);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let default = ScheduleSettings::default;
        let cases = [
            (ScheduleSettings { epochs: 0, ..default() }, "schedule.epochs: "),
            (ScheduleSettings { warmup_epochs: 151, ..default() }, "schedule.warmup_epochs: "),
            (ScheduleSettings { min_learning_rate: 0.1, ..default() }, "schedule.min_learning_rate: "),
            (ScheduleSettings { min_learning_rate: f64::NAN, ..default() }, "schedule.min_learning_rate: "),
            (
                ScheduleSettings { shape: Shape::Step(StepSettings { every: 0, gamma: 0.1 }), ..default() },
                "schedule.every: ",
            ),
            (
                ScheduleSettings { shape: Shape::Step(StepSettings { every: 1, gamma: 0.0 }), ..default() },
                "schedule.gamma: ",
            ),
            (
                ScheduleSettings { shape: Shape::Polynomial(PolynomialSettings { power: 0.0 }), ..default() },
                "schedule.power: ",
            ),
        ];
        for (settings, start) in cases {
            let error = settings.check(0.05).unwrap_err().to_string();
            assert!(error.starts_with(start), "{error}");
        }
        assert!(default().check(0.05).is_ok());
    }
}
