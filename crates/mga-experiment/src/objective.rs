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
    /// A weight for each class in the cross entropy, in the order of the classes, as PyTorch's `weight`: the loss of a batch
    /// is divided by the sum of its labels' weights. `"balanced"`: n / (k n_c), of n training images (of segmentation:
    /// annotated pixels) in k classes, n_c of them in this one. Left out: all 1. Metrics are not weighted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Whether a classifier's `class_weights` count. Set by mga itself: true where an experiment gives them; release 0.1.0
    /// took the weights of a classifier and did nothing with them, so runs that it resolved go on without.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-older-releases" = false))]
    pub weigh_classes: bool,
    /// Segmentation: weight of the Dice loss beside the cross entropy, which weighs 1.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0.0))]
    pub dice_weight: f64,
    /// Segmentation: weight of the auxiliary head's cross entropy, where the network has one.
    #[serde(skip_serializing_if = "is_half")]
    #[schemars(range(min = 0.0))]
    pub auxiliary_weight: f64,
}

/// What the classes weigh in the cross entropy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ClassWeights {
    /// One for each class, in their order.
    Each(#[schemars(inner(range(min = 0.0)))] Vec<f64>),
    /// From how often the classes are trained on.
    ByCount(ByCount),
}

/// Class weights that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ByCount {
    /// Each class counts as much as any other.
    Balanced,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn is_half(value: &f64) -> bool {
    *value == 0.5
}

impl Default for Objective {
    fn default() -> Self {
        Self {
            mask_weight: 0.1,
            label_smoothing: 0.0,
            class_weights: None,
            weigh_classes: false,
            dice_weight: 0.0,
            auxiliary_weight: 0.5,
        }
    }
}
