//! `[objective]`: the loss.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The loss: cross entropy + `mask_weight` times the mean squared error between attention and mask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// Weight of the mask loss.
    #[schemars(range(min = 0.0))]
    pub mask_weight: f64,
    /// Share of each label that is spread evenly over all classes.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub label_smoothing: f64,
}

impl Default for Objective {
    fn default() -> Self {
        Self { mask_weight: 0.1, label_smoothing: 0.0 }
    }
}
