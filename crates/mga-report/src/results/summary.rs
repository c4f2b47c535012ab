//! `summary.json`: what came of a run.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The results of a run. Keys of a single task or of a later version are in [`Self::others`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// The split that `selected` and `last` are of: `test`, or `validation` where there are no test images. Without validation
    /// images too, nothing is evaluated and both are `None`.
    pub split: String,
    /// The images or epoch that the reported checkpoint was selected on: `validation`, `last` or `test`.
    pub select_on: String,
    /// Whether that is the test set, which flatters.
    pub selected_on_test: bool,
    /// Epochs done.
    pub epochs: u64,
    /// Optimiser steps done.
    pub steps: u64,
    /// Whether early stopping ended it.
    pub stopped_early: bool,
    /// The epoch (from 0) with the best score on the images that are selected on.
    pub best_epoch: Option<u64>,
    /// The score of that checkpoint. Higher is better, so cross entropy is negative.
    pub best_score: Option<f64>,
    /// The selected checkpoint evaluated; `None` where the last is reported.
    pub selected: Option<Evaluation>,
    /// The last checkpoint evaluated.
    pub last: Option<Evaluation>,
    /// Number of training images.
    pub train_images: u64,
    /// Number of validation images.
    pub validation_images: u64,
    /// Number of test images.
    pub test_images: u64,
    /// Images that could not be used.
    pub skipped: Vec<String>,
    /// Time spent in training steps.
    pub training_seconds: f64,
    /// The other keys.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl Summary {
    /// Returns the evaluation that a table shows: that of the selected checkpoint, or of the last one if none was
    /// selected.
    #[must_use]
    pub fn reported(&self) -> Option<&Evaluation> {
        self.selected.as_ref().or(self.last.as_ref())
    }

    /// Returns the seconds of the training steps of its stages, without those that it shares with other runs.
    #[must_use]
    pub fn own_training_seconds(&self) -> f64 {
        let Some(stages) = self.others.get("stages").and_then(Value::as_array) else { return self.training_seconds };
        let shared = |stage: &&Value| {
            let folder = stage.get("folder").and_then(Value::as_str).unwrap_or_default();
            folder.starts_with("..") || Path::new(folder).is_absolute()
        };
        let own = stages.iter().filter(|stage| !shared(stage));
        own.filter_map(|stage| stage.get("training_seconds")?.as_f64()).sum()
    }

    /// Returns the best score on validation images; `None` where the run had none or scored on test.
    #[must_use]
    pub fn validation_score(&self) -> Option<f64> {
        self.best_score.filter(|_| self.validation_images > 0 && !self.selected_on_test)
    }
}

/// A checkpoint's evaluation on a split: its metrics by their keys, as in `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Evaluation(pub Map<String, Value>);

impl Evaluation {
    /// Returns a metric, such as `top1` (a fraction of 1); `None` where it is missing, null or no number.
    #[must_use]
    pub fn metric(&self, key: &str) -> Option<f64> {
        self.0.get(key).and_then(Value::as_f64)
    }

    /// Returns the split.
    #[must_use]
    pub fn split(&self) -> Option<&str> {
        self.0.get("split").and_then(Value::as_str)
    }

    /// Returns the epoch, from 0.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.0.get("epoch").and_then(Value::as_u64)
    }

    /// Returns the number of images of the evaluation.
    #[must_use]
    pub fn images(&self) -> Option<u64> {
        self.0.get("images").and_then(Value::as_u64)
    }

    /// Iterates over the metrics and their values: all numbers except the epoch and the counts.
    pub fn metrics(&self) -> impl Iterator<Item = (&str, f64)> {
        let counts =
            ["epoch", "images", "masks_used", "masks_divided", "reference_masks_used", "unlabelled", "not_finite"];
        self.0
            .iter()
            .filter(move |(key, _)| !counts.contains(&key.as_str()))
            .filter_map(|(key, value)| Some((key.as_str(), value.as_f64()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_checkpoint_is_reported_else_the_last() {
        let text = r#"{"split": "test", "select_on": "validation", "best_score": 0.8, "validation_images": 9,
            "selected": {"split": "test", "epoch": 4, "top1": 0.75, "images": 40, "mask_iou": null},
            "last": {"top1": 0.5}, "masks": {"blank": 2}}"#;
        let mut summary: Summary = serde_json::from_str(text).unwrap();
        let reported = summary.reported().unwrap();
        assert_eq!((reported.metric("top1"), reported.metric("mask_iou")), (Some(0.75), None));
        assert_eq!((reported.epoch(), reported.images(), reported.split()), (Some(4), Some(40), Some("test")));
        assert_eq!(reported.metrics().collect::<Vec<_>>(), [("top1", 0.75)]);
        assert_eq!(summary.validation_score(), Some(0.8));
        assert_eq!(summary.others["masks"]["blank"], 2);
        summary.selected = None;
        assert_eq!(summary.reported().unwrap().metric("top1"), Some(0.5));
        summary.selected_on_test = true;
        assert_eq!(summary.validation_score(), None);
    }
}
