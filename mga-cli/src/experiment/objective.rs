//! `[objective]`: the loss.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The loss: cross entropy + `mask_weight` times the mean squared error between attention and mask. Of segmentation:
/// cross entropy of the pixels + `dice_weight` times the Dice loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// Weight of the mask loss.
    #[schemars(range(min = 0.0))]
    pub mask_weight: f64,
    /// Share of each label that is spread evenly over all classes.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub label_smoothing: f64,
    /// Segmentation: a weight for each class in the cross entropy; left out: all 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(inner(range(min = 0.0)))]
    pub class_weights: Option<Vec<f64>>,
    /// Segmentation: weight of the Dice loss beside the cross entropy, which weighs 1.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0.0))]
    pub dice_weight: f64,
    /// Segmentation: weight of the auxiliary head's cross entropy, where the network has one.
    #[serde(skip_serializing_if = "is_half")]
    #[schemars(range(min = 0.0))]
    pub auxiliary_weight: f64,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn is_half(value: &f64) -> bool {
    *value == 0.5
}

impl Default for Objective {
    fn default() -> Self {
        Self { mask_weight: 0.1, label_smoothing: 0.0, class_weights: None, dice_weight: 0.0, auxiliary_weight: 0.5 }
    }
}
