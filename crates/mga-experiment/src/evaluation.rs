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
    /// The images or epoch that select the reported checkpoint.
    pub select_on: SelectOn,
    /// The number that selects the best checkpoint; left out: `top1`, of task = "segmentation" `mean_iou`.
    #[schemars(schema_with = "super::schema::metric")]
    pub metric: String,
    /// The scores that are evaluated, by the name that the method gives them; left out: the classifier's own, `logits`.
    #[serde(skip_serializing_if = "is_logits")]
    #[schemars(length(min = 1), extend("x-older-releases" = "logits"))]
    pub output: String,
    /// Reference masks for measuring attention, with the settings of `[data.masks]`. They are the same for every arm of
    /// a sweep, whatever masks it learns from, if any. Nothing is learnt from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-older-releases" = null))]
    pub reference_masks: Option<Masks>,
}

/// The images or epoch that select the reported checkpoint.
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

impl Evaluation {
    /// The scores of a classifier itself, which every method predicts unless it says otherwise.
    pub const LOGITS: &'static str = "logits";
}

fn is_logits(output: &str) -> bool {
    output == Evaluation::LOGITS
}

impl Default for Evaluation {
    fn default() -> Self {
        let (metric, output) = ("top1".to_owned(), Self::LOGITS.to_owned());
        Self { every: 1, select_on: SelectOn::default(), metric, output, reference_masks: None }
    }
}
