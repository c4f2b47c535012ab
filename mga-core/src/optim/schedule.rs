//! How long to train, and the learning rate over time.

use mga_registry::Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::require::require;
use super::shape::{Behind, ScheduleShape, Schedules};
use crate::error::{Error, Result};

/// How long to train, and the learning rate over time, set anew each epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Schedule")]
pub struct ScheduleSettings {
    /// A registered schedule, the shape of the learning rate over the epochs; `mga list` shows them.
    #[serde(default = "cosine")]
    pub name: String,
    /// The schedule's own settings.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
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

impl Default for ScheduleSettings {
    fn default() -> Self {
        Self { name: cosine(), settings: Map::new(), epochs: epochs(), warmup_epochs: 0, min_learning_rate: 0.0 }
    }
}

fn cosine() -> String {
    "cosine".to_owned()
}

fn epochs() -> usize {
    150
}

/// The position of a step in training, counted from 0.
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
    /// Writes out every setting of the schedule's own, defaults included, as the schedule has them.
    ///
    /// # Errors
    /// No such schedule; settings that it cannot read.
    pub fn complete(&mut self, kinds: &Registry) -> Result<()> {
        self.settings = kinds.complete::<Schedules, _>(&self.name, &self.settings)?;
        Ok(())
    }

    /// Returns the shape with its settings.
    ///
    /// # Errors
    /// No such schedule; a setting out of range.
    pub fn shape(&self, kinds: &Registry) -> Result<Box<dyn ScheduleShape>> {
        let shape = kinds.make::<Schedules, _>(&self.name, &self.settings)?;
        shape.check()?;
        Ok(shape)
    }

    /// Returns the schedule of an optimiser whose main learning rate is `learning_rate` at the start. `kinds` holds the
    /// registered schedules: [`crate::components`] those of this crate.
    ///
    /// # Errors
    /// As [`Self::shape`]; epochs or a least learning rate that do not fit.
    pub fn build(&self, kinds: &Registry, learning_rate: f64) -> Result<Schedule> {
        let &Self { epochs, warmup_epochs, min_learning_rate, .. } = self;
        require(epochs >= 1, "schedule.epochs", "at least 1", epochs as f64)?;
        if warmup_epochs > epochs {
            let what = format!("expected at most schedule.epochs, {epochs}, found {warmup_epochs}");
            return Err(Error::setting("schedule.warmup_epochs", what));
        }
        let expected = format!("at least 0 and at most optimiser.learning_rate, {learning_rate}");
        let inside = (0.0..=learning_rate).contains(&min_learning_rate);
        require(inside, "schedule.min_learning_rate", &expected, min_learning_rate)?;
        let floor = if learning_rate > 0.0 { min_learning_rate / learning_rate } else { 0.0 };
        Ok(Schedule { shape: self.shape(kinds)?, epochs, warmup_epochs, floor })
    }
}

/// The learning rate over time, as a factor of where it starts.
pub struct Schedule {
    shape: Box<dyn ScheduleShape>,
    epochs: usize,
    warmup_epochs: usize,
    floor: f64,
}

impl Schedule {
    /// Returns what multiplies the learning rates at a step: 1 at the start. Rates of single parameters keep their ratio to
    /// the optimiser's main one throughout.
    ///
    /// The warm-up rises with every step; of `n` steps in all: `(step + 1) / n`. The shape begins where it ends and fills the
    /// epochs that are left. Nothing falls below `min_learning_rate`.
    #[must_use]
    pub fn factor(&self, at: Position) -> f64 {
        let Position { epoch, step, steps_per_epoch } = at;
        if epoch < self.warmup_epochs {
            let steps = steps_per_epoch.max(1);
            return ((epoch * steps + step + 1) as f64 / (self.warmup_epochs * steps) as f64).min(1.0);
        }
        let (epoch, epochs) = (epoch - self.warmup_epochs, self.epochs.saturating_sub(self.warmup_epochs));
        let factor = self.shape.factor(&Behind { epoch, step, steps_per_epoch, epochs, floor: self.floor });
        // Not `max`, which would hide a factor that is no number.
        if factor < self.floor { self.floor } else { factor }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(table: Value) -> ScheduleSettings {
        serde_json::from_value(table).unwrap()
    }

    fn factors(settings: &ScheduleSettings, learning_rate: f64, epochs: &[usize]) -> Vec<f64> {
        let schedule = settings.build(&crate::components(), learning_rate).unwrap();
        epochs.iter().map(|&epoch| schedule.factor(Position { epoch, step: 3, steps_per_epoch: 4 })).collect()
    }

    fn close(found: &[f64], expected: &[f64]) {
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near && found.len() == expected.len(), "{found:?}, not {expected:?}");
    }

    #[test]
    fn shapes_over_the_epochs() {
        let third = 3.0f64.sqrt() / 4.0;
        let cosine = of(json!({ "name": "cosine", "epochs": 6 }));
        close(&factors(&cosine, 0.05, &[0, 1, 2, 3, 4, 6, 9]), &[1.0, 0.5 + third, 0.75, 0.5, 0.25, 0.0, 0.0]);
        let cosine = of(json!({ "name": "cosine", "epochs": 6, "min_learning_rate": 0.01 }));
        close(&factors(&cosine, 0.05, &[0, 3, 6]), &[1.0, 0.6, 0.2]);
        let step = of(json!({ "name": "step", "every": 2, "gamma": 0.5, "epochs": 6, "min_learning_rate": 0.015 }));
        close(&factors(&step, 0.05, &[0, 1, 2, 3, 4]), &[1.0, 1.0, 0.5, 0.5, 0.3]);
        let square = of(json!({ "name": "polynomial", "power": 2.0, "epochs": 4 }));
        close(&factors(&square, 0.05, &[0, 1, 2, 3, 4]), &[1.0, 0.5625, 0.25, 0.0625, 0.0]);
        let constant = of(json!({ "name": "constant", "epochs": 4, "min_learning_rate": 0.01 }));
        assert_eq!(factors(&constant, 0.05, &[0, 3]), [1.0, 1.0]);
        close(&factors(&ScheduleSettings::default(), 0.05, &[75]), &[0.5]);
        assert_eq!(factors(&ScheduleSettings::default(), 0.0, &[0]), [1.0]);
    }

    #[test]
    fn the_bits_are_those_of_release_0_1_0() {
        // Its formulas, written out.
        let floor = 0.003 / 0.07;
        let passed = |epoch: usize| (epoch as f64 / 7.0).min(1.0);
        for epoch in 0..9 {
            let cosine = of(json!({ "name": "cosine", "epochs": 7, "min_learning_rate": 0.003 }));
            let expected = floor + (1.0 - floor) * (1.0 + (std::f64::consts::PI * passed(epoch)).cos()) / 2.0;
            assert_eq!(factors(&cosine, 0.07, &[epoch])[0].to_bits(), expected.to_bits());
            let step = of(json!({ "name": "step", "every": 2, "gamma": 0.3, "epochs": 7, "min_learning_rate": 0.003 }));
            let expected = 0.3f64.powf((epoch / 2) as f64).max(floor);
            assert_eq!(factors(&step, 0.07, &[epoch])[0].to_bits(), expected.to_bits());
            let polynomial = of(json!({ "name": "polynomial", "epochs": 7, "min_learning_rate": 0.003 }));
            let expected = floor + (1.0 - floor) * (1.0 - passed(epoch)).powf(0.9);
            assert_eq!(factors(&polynomial, 0.07, &[epoch])[0].to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn warm_up_rises_with_every_step_and_hands_over_at_the_start() {
        let schedule = of(json!({ "name": "cosine", "epochs": 6, "warmup_epochs": 2 }));
        let schedule = schedule.build(&crate::components(), 0.05).unwrap();
        let at = |epoch, step| schedule.factor(Position { epoch, step, steps_per_epoch: 4 });
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
            (of(json!({ "name": "step", "every": 0 })), "schedule.every: "),
            (of(json!({ "name": "step", "every": 1, "gamma": 0.0 })), "schedule.gamma: "),
            (of(json!({ "name": "polynomial", "power": 0.0 })), "schedule.power: "),
            (of(json!({ "name": "cosin" })), "schedule.name: unknown name `cosin`"),
        ];
        let kinds = crate::components();
        for (settings, start) in cases {
            let error = settings.build(&kinds, 0.05).err().unwrap().to_string();
            assert!(error.starts_with(start), "{error}");
        }
        assert!(default().build(&kinds, 0.05).is_ok());
    }
}
