//! `[eval]`: when to evaluate, and which checkpoint to report.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::data::Masks;

/// When to evaluate, and which checkpoint to report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluation {
    /// Epochs between two evaluations; the last epoch is always evaluated.
    #[schemars(range(min = 1))]
    pub every: usize,
    /// What the reported checkpoint is selected on.
    pub select_on: SelectOn,
    /// The number that selects the best checkpoint; left out: `top1`, of task = "segmentation" `mean_iou`.
    pub metric: Metric,
    /// Masks that attention is measured against besides those of `[data.masks]`, set as those are: the same for every arm
    /// of a sweep, whatever masks it learns from, if any. Nothing is learnt from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_masks: Option<Masks>,
}

/// What the reported checkpoint is selected on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SelectOn {
    /// The epoch that is best on the validation images.
    #[default]
    Validation,
    /// No selection: the last epoch.
    Last,
    /// The epoch that is best on the test images, as in the authors' code; every table flags it.
    Test,
}

/// The number that selects the best checkpoint. Ties go to the earlier epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of images whose first guess is right.
    #[default]
    Top1,
    /// Share of images whose label is among the first five guesses.
    Top5,
    /// Mean over the classes of the share that is right.
    BalancedAccuracy,
    /// Mean over the classes of F1.
    MacroF1,
    /// Mean cross entropy; lower is better.
    CrossEntropy,
    /// Segmentation: mean over the classes of intersection over union.
    MeanIou,
    /// Segmentation: mean over the classes of the boundary F-measure.
    BoundaryF,
}

impl Metric {
    /// Whether it is one of task = "segmentation".
    #[must_use]
    pub fn is_of_segmentation(self) -> bool {
        matches!(self, Self::MeanIou | Self::BoundaryF)
    }
}

impl Default for Evaluation {
    fn default() -> Self {
        Self { every: 1, select_on: SelectOn::default(), metric: Metric::default(), reference_masks: None }
    }
}
