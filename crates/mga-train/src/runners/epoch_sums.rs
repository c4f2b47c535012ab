//! The training loss of a whole epoch and its parts, for the log: means over the images of every step, logged or not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::step::ReadStep;

/// Sums over the optimiser steps of an epoch. Checkpoints keep them, so that a resumed epoch has the mean of all its steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochSums {
    /// Images that were trained on.
    images: u64,
    /// The sum of their losses.
    loss: f64,
    /// Of each part of the loss, the sum of its values and the number of things that they are of; `None`: a value was not
    /// finite, which JSON cannot say.
    parts: BTreeMap<String, (Option<f64>, f64)>,
}

impl EpochSums {
    /// Adds an optimiser step.
    pub(super) fn add(&mut self, step: &ReadStep) {
        self.images += step.images;
        self.loss += step.loss * step.planned;
        for (name, part) in &step.parts {
            let (value, count) = match part.count {
                Some(count) => (part.sum, count),
                None => (part.sum * step.planned, step.images as f64),
            };
            let (sum, counted) = self.parts.entry((*name).to_owned()).or_insert((Some(0.0), 0.0));
            // Of nothing there is no value, whatever stands for it.
            if count > 0.0 {
                *sum = sum.map(|sum| sum + value).filter(|sum| sum.is_finite());
                *counted += count;
            }
        }
    }

    /// Returns the line for `metrics.jsonl` after the epoch's last step; `None`: not one image was trained on.
    pub(super) fn line(&self, epoch: usize, step: u64) -> Option<Value> {
        let mean = |(sum, count): (f64, f64)| (count > 0.0).then(|| sum / count);
        let loss = mean((self.loss, self.images as f64))?;
        let mut line = json!({ "kind": "epoch", "step": step, "epoch": epoch, "images": self.images, "loss": loss });
        self.parts.iter().for_each(|(name, (sum, count))| line[name] = json!(sum.and_then(|sum| mean((sum, *count)))));
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runners::loss_parts::PartSum;

    #[test]
    fn an_epoch_is_the_mean_over_its_images_and_over_what_a_part_counts() {
        let step = |images, planned, loss, mask: Option<f64>, count| ReadStep {
            images,
            planned,
            loss,
            parts: vec![
                ("cross_entropy", PartSum { sum: loss, count: None }),
                ("mask_mse", PartSum { sum: mask.unwrap_or(0.0), count: Some(count) }),
            ],
        };
        let mut sums = EpochSums::default();
        assert_eq!(sums.line(0, 0), None);
        // 16 images with a mean of 2, three of them with masks; then 4 with a mean of 1, none of them with a mask.
        sums.add(&step(16, 16.0, 2.0, Some(1.5), 3.0));
        sums.add(&step(4, 4.0, 1.0, None, 0.0));
        let line = sums.line(2, 40).unwrap();
        let expected = json!({ "kind": "epoch", "step": 40, "epoch": 2, "images": 20, "loss": 1.8,
            "cross_entropy": 1.8, "mask_mse": 0.5 });
        assert_eq!(line, expected);
        // Half of a step's images could not be read: its loss is that of the others times their share.
        let mut skipped = EpochSums::default();
        skipped.add(&step(8, 16.0, 1.0, None, 0.0));
        let line = skipped.line(0, 1).unwrap();
        assert_eq!((&line["loss"], &line["mask_mse"]), (&json!(2.0), &Value::Null));
        // A part that is not in the loss may be no number: a checkpoint keeps that too.
        skipped.add(&step(8, 16.0, 1.0, Some(f64::NAN), 0.0));
        assert_eq!(skipped.parts["mask_mse"], (Some(0.0), 0.0));
        skipped.add(&step(8, 16.0, 1.0, Some(f64::NAN), 1.0));
        skipped.add(&step(8, 16.0, 1.0, Some(1.0), 1.0));
        let read: EpochSums = serde_json::from_str(&serde_json::to_string(&skipped).unwrap()).unwrap();
        assert_eq!(read, skipped);
        assert_eq!(read.line(0, 1).unwrap()["mask_mse"], Value::Null);
    }
}
