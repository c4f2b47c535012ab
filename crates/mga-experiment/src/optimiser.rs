//! `[optimiser]`: how parameters are updated.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How parameters are updated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Optimiser {
    /// The rule and its settings.
    #[serde(flatten)]
    pub rule: UpdateRule,
    /// Learning rates of parameters whose name begins with the key, in place of `learning_rate`; the longest key that
    /// fits counts: `{ "classifier." = 0.1 }`.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = { "type": "number", "minimum": 0.0 }))]
    pub learning_rates: BTreeMap<String, f64>,
}

/// An update rule, by its `name`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum UpdateRule {
    /// Stochastic gradient descent: v = momentum v + g + weight_decay p; p = p - learning_rate v.
    Sgd(Sgd),
    /// Adam with decoupled weight decay.
    Adamw(AdamW),
}

/// Stochastic gradient descent, with PyTorch's meaning of momentum and weight decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sgd {
    /// Step size at the start of the schedule.
    #[schemars(range(min = 0.0))]
    pub learning_rate: f64,
    /// Share of the last step that is kept.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Look ahead along the momentum.
    pub nesterov: bool,
    /// Added to the gradient: this times the parameter, for every trained tensor.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
}

/// Adam with decoupled weight decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AdamW {
    /// Step size at the start of the schedule.
    #[schemars(range(min = 0.0))]
    pub learning_rate: f64,
    /// Decay of the running mean of gradients.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// Decay of the running mean of squared gradients.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta2: f64,
    /// Added to the denominator.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub eps: f64,
    /// Each step takes this times the learning rate off every trained tensor.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
}

impl Default for UpdateRule {
    fn default() -> Self {
        Self::Sgd(Sgd::default())
    }
}

impl Default for Sgd {
    fn default() -> Self {
        Self { learning_rate: 0.05, momentum: 0.9, nesterov: false, weight_decay: 5e-4 }
    }
}

impl Default for AdamW {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 }
    }
}

impl Optimiser {
    /// Step size at the start of the schedule, of parameters without a rate of their own.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        match &self.rule {
            UpdateRule::Sgd(sgd) => sgd.learning_rate,
            UpdateRule::Adamw(adamw) => adamw.learning_rate,
        }
    }

    /// Weight decay of every trained tensor.
    #[must_use]
    pub fn weight_decay(&self) -> f64 {
        match &self.rule {
            UpdateRule::Sgd(sgd) => sgd.weight_decay,
            UpdateRule::Adamw(adamw) => adamw.weight_decay,
        }
    }
}
