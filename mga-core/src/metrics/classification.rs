//! Accuracy and cross entropy of logits.

use serde::{Deserialize, Serialize};

use super::confusion::Confusion;
use crate::error::{Error, Result};

/// Classes that may hold the label to count for `top5`, where there are as many.
const TOP: usize = 5;

/// Accumulates what an evaluation says about classes.
#[derive(Debug, Clone)]
pub struct ClassificationMetrics {
    confusion: Confusion,
    in_top: u64,
    cross_entropy: f64,
    not_finite: u64,
}

/// The prediction of a model for one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The class with the highest logit, the first of equals. Logits that are not numbers never win; where none is a
    /// number it is class 0.
    pub predicted: usize,
    /// The softmax probability of the predicted class, in 0..=1; 0 if a logit is NaN or plus infinity.
    pub confidence: f64,
}

/// The numbers of an evaluation, accuracies as fractions of 1; `None` without images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassificationSummary {
    /// Share of images whose label has the highest logit.
    pub top1: Option<f64>,
    /// Share of images whose label is among the five highest logits; a tie counts for the label.
    pub top5: Option<f64>,
    /// Mean recall of the classes that have images.
    pub balanced_accuracy: Option<f64>,
    /// Mean F1 of the classes among labels or predictions.
    pub macro_f1: Option<f64>,
    /// Mean of -log softmax at the label, in nats; `None` also where it is not finite.
    pub cross_entropy: Option<f64>,
    /// Images counted.
    pub images: u64,
    /// Images whose cross entropy is not finite: NaN or infinite logits.
    pub not_finite: u64,
}

impl ClassificationMetrics {
    /// Creates metrics without images.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self { confusion: Confusion::new(classes), in_top: 0, cross_entropy: 0.0, not_finite: 0 }
    }

    /// Counts one image from its logits `[classes]` (`f32` or `f64`) and label.
    ///
    /// # Errors
    /// As many logits as classes, and a label below that, are expected.
    pub fn add<T: Copy + Into<f64>>(&mut self, logits: &[T], label: usize) -> Result<Prediction> {
        let logits: Vec<f64> = logits.iter().map(|&logit| logit.into()).collect();
        let classes = self.confusion.classes();
        let (Some(&own), true) = (logits.get(label), logits.len() == classes) else {
            let message = format!("{} logits and label {label}, expected {classes} classes", logits.len());
            return Err(Error::shape("classification metrics", message));
        };
        let (prediction, log_sum) = predict(&logits);
        self.confusion.add(label, prediction.predicted)?;
        let above = logits.iter().filter(|&&logit| logit > own).count();
        if !own.is_nan() && above < TOP.min(classes) {
            self.in_top += 1;
        }
        let cross_entropy = log_sum - own;
        if cross_entropy.is_finite() {
            self.cross_entropy += cross_entropy;
        } else {
            self.not_finite += 1;
        }
        Ok(prediction)
    }

    /// Counts a batch from its logits `[N, classes]` in rows and one label per row.
    pub fn add_rows<T: Copy + Into<f64>>(&mut self, logits: &[T], labels: &[usize]) -> Result<Vec<Prediction>> {
        let classes = self.confusion.classes();
        if logits.len() != labels.len() * classes {
            let message = format!("{} logits for {} labels of {classes} classes", logits.len(), labels.len());
            return Err(Error::shape("classification metrics", message));
        }
        logits.chunks(classes.max(1)).zip(labels).map(|(row, &label)| self.add(row, label)).collect()
    }

    /// Returns the counts of labels against predictions.
    #[must_use]
    pub fn confusion(&self) -> &Confusion {
        &self.confusion
    }

    /// Returns the metrics of all images so far.
    #[must_use]
    pub fn summary(&self) -> ClassificationSummary {
        let images = self.confusion.images();
        let mean = |sum: f64| (images > 0).then(|| sum / images as f64);
        ClassificationSummary {
            top1: self.confusion.top1(),
            top5: mean(self.in_top as f64),
            balanced_accuracy: self.confusion.balanced_accuracy(),
            macro_f1: self.confusion.macro_f1(),
            cross_entropy: mean(self.cross_entropy).filter(|_| self.not_finite == 0),
            images,
            not_finite: self.not_finite,
        }
    }
}

impl Prediction {
    /// Computes the prediction from one image's logits `[classes]`, without a label.
    #[must_use]
    pub fn of<T: Copy + Into<f64>>(logits: &[T]) -> Self {
        let logits: Vec<f64> = logits.iter().map(|&logit| logit.into()).collect();
        predict(&logits).0
    }
}

/// The prediction, and the logarithm of the sum of exponentials.
fn predict(logits: &[f64]) -> (Prediction, f64) {
    let mut best: Option<(usize, f64)> = None;
    for (class, &logit) in logits.iter().enumerate() {
        if !logit.is_nan() && best.is_none_or(|(_, highest)| logit > highest) {
            best = Some((class, logit));
        }
    }
    let (predicted, highest) = best.unwrap_or((0, f64::NAN));
    // Over the highest, so that no exponential overflows; NaN anywhere makes the sum NaN.
    let sum: f64 = logits.iter().map(|logit| (logit - highest).exp()).sum();
    let confidence = if sum.is_finite() && sum > 0.0 { 1.0 / sum } else { 0.0 };
    (Prediction { predicted, confidence }, highest + sum.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_images_by_hand() -> Result<()> {
        let mut metrics = ClassificationMetrics::new(3);
        let ln = f64::ln;
        // Softmax 1/6, 2/6, 3/6 and, far out of an exponential's range, 1/4, 1/2, 1/4.
        let rows = [0.0, ln(2.0), ln(3.0), 5000.0, 5000.0 + ln(2.0), 5000.0];
        let predictions = metrics.add_rows(&rows, &[2, 0])?;
        assert_eq!([predictions[0].predicted, predictions[1].predicted], [2, 1]);
        assert!((predictions[0].confidence - 0.5).abs() < 1e-12 && (predictions[1].confidence - 0.5).abs() < 1e-9);
        let summary = metrics.summary();
        assert_eq!((summary.top1, summary.top5, summary.images, summary.not_finite), (Some(0.5), Some(1.0), 2, 0));
        // Recall 1 of class 2, 0 of class 0; F1 1, 0, and 0 of the predicted class 1.
        assert_eq!((summary.balanced_accuracy, summary.macro_f1), (Some(0.5), Some(1.0 / 3.0)));
        assert!((summary.cross_entropy.unwrap() - (ln(2.0) + ln(4.0)) / 2.0).abs() < 1e-9);
        Ok(())
    }

    #[test]
    fn the_fifth_place_counts_and_so_does_a_tie_for_it() -> Result<()> {
        let hit = |logits: &[f32], label| -> Result<bool> {
            let mut metrics = ClassificationMetrics::new(logits.len());
            metrics.add(logits, label)?;
            Ok(metrics.summary().top5 == Some(1.0))
        };
        let falling = [9f32, 8.0, 7.0, 6.0, 5.0, 4.0];
        assert!(hit(&falling, 4)? && !hit(&falling, 5)?);
        assert!(hit(&[9f32, 8.0, 7.0, 6.0, 5.0, 5.0], 5)?);
        assert!(hit(&[9f32, 8.0], 1)?);
        assert_eq!(Prediction::of(&[1f32, 3.0, 3.0]).predicted, 1);
        Ok(())
    }

    #[test]
    fn logits_that_are_not_numbers_are_counted_and_hide_no_score() -> Result<()> {
        let mut metrics = ClassificationMetrics::new(3);
        let mixed = metrics.add(&[f64::NAN, 1.0, 2.0], 0)?;
        assert_eq!(mixed, Prediction { predicted: 2, confidence: 0.0 });
        assert_eq!(metrics.add(&[f64::NAN; 3], 1)?, Prediction { predicted: 0, confidence: 0.0 });
        assert_eq!(metrics.add(&[0.0, f64::INFINITY, 0.0], 1)?, Prediction { predicted: 1, confidence: 0.0 });
        // A class ruled out by minus infinity is sound unless it is the label.
        let ruled_out = metrics.add(&[0.0, f64::NEG_INFINITY, 0.0], 0)?;
        assert!((ruled_out.confidence - 0.5).abs() < 1e-15);
        let summary = metrics.summary();
        assert_eq!((summary.images, summary.not_finite, summary.cross_entropy), (4, 3, None));
        assert_eq!((summary.top1, summary.top5), (Some(0.5), Some(0.5)));
        Ok(())
    }

    #[test]
    fn empty_and_ill_fitting() {
        let mut metrics = ClassificationMetrics::new(2);
        let summary = metrics.summary();
        assert_eq!((summary.top1, summary.top5, summary.cross_entropy, summary.images), (None, None, None, 0));
        assert!(metrics.add(&[1f32, 2.0, 3.0], 0).is_err());
        assert!(metrics.add(&[1f32, 2.0], 2).is_err());
        assert!(metrics.add_rows(&[1f32, 2.0, 3.0], &[0]).is_err());
        assert_eq!(metrics.summary().images, 0);
    }
}
