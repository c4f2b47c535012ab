//! A schedule: half cosines, each of which starts again at the top (SGDR, Loshchilov and Hutter 2017).

use std::f64::consts::PI;

use mga_core::optim::{Behind, ScheduleShape, Schedules};
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Returns the schedule that an experiment selects with `[schedule] name = "restarts"`.
pub fn entry() -> Entry<Schedules> {
    let about = "half cosines down to `min_learning_rate`, each of which starts again at the top (SGDR)";
    Entry::<Schedules>::from_settings("restarts", about, |settings: Restarts| {
        Box::new(settings) as Box<dyn ScheduleShape>
    })
}

/// The settings, which stand beside `name` in `[schedule]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Restarts {
    /// How many cosines the epochs are divided into.
    #[schemars(range(min = 1))]
    cycles: usize,
}

impl Default for Restarts {
    fn default() -> Self {
        Self { cycles: 2 }
    }
}

impl ScheduleShape for Restarts {
    /// Warm-up and floor are settings that all schedules share.
    fn factor(&self, at: &Behind) -> f64 {
        let passed = (at.epoch * self.cycles % at.epochs.max(1)) as f64 / at.epochs.max(1) as f64;
        at.above_floor((1.0 + (PI * passed).cos()) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use mga_core::optim::{Position, ScheduleSettings};
    use serde_json::json;

    use super::*;

    #[test]
    fn each_cycle_starts_at_the_top() {
        let table =
            json!({ "name": "restarts", "cycles": 2, "epochs": 9, "warmup_epochs": 1, "min_learning_rate": 0.5 });
        let settings: ScheduleSettings = serde_json::from_value(table).unwrap();
        let schedule = settings.build(&mga_core::components().with(entry()), 1.0).unwrap();
        let at = |epoch| schedule.factor(Position { epoch, step: 0, steps_per_epoch: 4 });
        assert_eq!([at(0), at(1), at(3), at(5), at(7)], [0.25, 1.0, 0.75, 1.0, 0.75]);
    }
}
