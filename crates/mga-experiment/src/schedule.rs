//! `[schedule]`: how long to train, and the learning rate over time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long to train, and the learning rate over time, set anew each epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Schedule {
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
    Step(Step),
    /// (1 - epoch / epochs) to a power.
    Polynomial(Polynomial),
    /// Always the same.
    Constant,
}

/// Multiplied by `gamma` every so many epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Step {
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
pub struct Polynomial {
    /// The power; 1 is a straight line.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub power: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { shape: Shape::Cosine, epochs: epochs(), warmup_epochs: 0, min_learning_rate: 0.0 }
    }
}

impl Default for Step {
    fn default() -> Self {
        Self { every: 30, gamma: 0.1 }
    }
}

impl Default for Polynomial {
    fn default() -> Self {
        Self { power: 0.9 }
    }
}

fn epochs() -> usize {
    150
}
