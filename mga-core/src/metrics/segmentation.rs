//! Metrics of label maps: overlap by class, and boundaries.

use serde::{Deserialize, Serialize};

use super::boundary::{boundary, boundary_f};
use super::confusion::Confusion;
use crate::error::{Error, Result};

/// Share of a picture's diagonal within which boundaries match (Csurka et al. 2013).
const TOLERANCE: f64 = 0.0075;

/// Accumulates label maps, image by image; pixels labelled with `ignore` count nowhere.
#[derive(Debug, Clone)]
pub struct SegmentationMetrics {
    confusion: Confusion,
    ignore: u32,
    /// Sum and count over images, by class.
    boundaries: Vec<(f64, u64)>,
    images: u64,
}

/// The numbers of an evaluation; `None` where nothing has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentationSummary {
    /// Mean of `class_iou`, in 0..=1, over the classes that occur among labels or predictions.
    pub mean_iou: Option<f64>,
    /// Intersection over union of each class, pixels of all images together.
    pub class_iou: Vec<Option<f64>>,
    /// Mean over images of the boundary F of each class, of the images where it has a boundary in either map.
    pub class_boundary_f: Vec<Option<f64>>,
    /// Mean of `class_boundary_f`.
    pub boundary_f: Option<f64>,
    /// Share of pixels that are right.
    pub pixel_accuracy: Option<f64>,
    /// Images counted.
    pub images: u64,
}

impl SegmentationMetrics {
    /// Creates metrics without images.
    #[must_use]
    pub fn new(classes: usize, ignore: u32) -> Self {
        Self { confusion: Confusion::new(classes), ignore, boundaries: vec![(0.0, 0); classes], images: 0 }
    }

    /// Counts one image from its true and predicted classes `[height, width]`. Predictions at ignored labels do not
    /// count.
    ///
    /// # Errors
    /// Maps of two sizes, and numbers that are no class.
    pub fn add(&mut self, labels: &[u32], predicted: &[u32], width: usize) -> Result<()> {
        if labels.len() != predicted.len() || labels.is_empty() || width == 0 || !labels.len().is_multiple_of(width) {
            let what = format!("{} labels, {} predictions, rows of {width}", labels.len(), predicted.len());
            return Err(Error::shape("segmentation metrics", what));
        }
        let ignored: Vec<bool> = labels.iter().map(|&label| label == self.ignore).collect();
        for ((&label, &said), _) in labels.iter().zip(predicted).zip(&ignored).filter(|(_, ignored)| !**ignored) {
            self.confusion.add(label as usize, said as usize)?;
        }
        let (wide, high) = (width as f64, (labels.len() / width) as f64);
        // At least the neighbouring pixel: on small pictures the share of the diagonal is none.
        let tolerance = (TOLERANCE * wide.hypot(high)).max(1.0);
        for (class, (sum, count)) in self.boundaries.iter_mut().enumerate() {
            let rim = |map: &[u32]| {
                let inside: Vec<bool> = map.iter().map(|&value| value as usize == class).collect();
                boundary(&inside, &ignored, width)
            };
            if let Some(f) = boundary_f(&rim(labels), &rim(predicted), width, tolerance) {
                *sum += f;
                *count += 1;
            }
        }
        self.images += 1;
        Ok(())
    }

    /// Returns the counts of pixels by label (row) and prediction.
    #[must_use]
    pub fn confusion(&self) -> &Confusion {
        &self.confusion
    }

    /// Returns the metrics of all images so far.
    #[must_use]
    pub fn summary(&self) -> SegmentationSummary {
        let class_iou: Vec<Option<f64>> = self.confusion.class_iou();
        let class_boundary_f: Vec<Option<f64>> =
            self.boundaries.iter().map(|&(sum, count)| (count > 0).then(|| sum / count as f64)).collect();
        SegmentationSummary {
            mean_iou: mean(&class_iou),
            boundary_f: mean(&class_boundary_f),
            class_iou,
            class_boundary_f,
            pixel_accuracy: self.confusion.top1(),
            images: self.images,
        }
    }
}

fn mean(values: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_by_hand() -> Result<()> {
        let mut metrics = SegmentationMetrics::new(3, 255);
        // Labels 0 0 1 1 x, predicted 0 1 1 1 2: what is ignored does not count.
        metrics.add(&[0, 0, 1, 1, 255], &[0, 1, 1, 1, 2], 5)?;
        let summary = metrics.summary();
        assert_eq!(summary.class_iou, [Some(0.5), Some(2.0 / 3.0), None]);
        assert!((summary.mean_iou.unwrap() - 7.0 / 12.0).abs() < 1e-12);
        assert_eq!((summary.pixel_accuracy, summary.images), (Some(0.75), 1));
        // A second image: pixels are pooled, not images averaged.
        metrics.add(&[1, 1], &[0, 1], 2)?;
        assert_eq!(metrics.summary().class_iou, [Some(1.0 / 3.0), Some(0.6), None]);
        Ok(())
    }

    #[test]
    fn boundaries_by_hand() -> Result<()> {
        let mut metrics = SegmentationMetrics::new(2, 255);
        // One row of seven: truth changes behind column 1, prediction behind column 4. Rims of class 0 are at 1 and 4,
        // of class 1 at 2 and 5: no two within one pixel.
        metrics.add(&[0, 0, 1, 1, 1, 1, 1], &[0, 0, 0, 0, 0, 1, 1], 7)?;
        assert_eq!(metrics.summary().class_boundary_f, [Some(0.0), Some(0.0)]);
        // The second image is off by one pixel, which the tolerance forgives.
        metrics.add(&[0, 0, 1, 1, 1, 1, 1], &[0, 0, 0, 1, 1, 1, 1], 7)?;
        assert_eq!(metrics.summary().class_boundary_f, [Some(0.5), Some(0.5)]);
        assert_eq!(metrics.summary().boundary_f, Some(0.5));
        // An image of one class has no boundary.
        metrics.add(&[0, 0], &[0, 0], 2)?;
        assert_eq!(metrics.summary().boundary_f, Some(0.5));
        Ok(())
    }

    #[test]
    fn nothing_and_what_does_not_fit() {
        let mut metrics = SegmentationMetrics::new(2, 255);
        let summary = metrics.summary();
        assert_eq!((summary.mean_iou, summary.boundary_f, summary.pixel_accuracy), (None, None, None));
        assert!(metrics.add(&[0, 1], &[0], 2).is_err());
        assert!(metrics.add(&[0, 1, 0], &[0, 1, 0], 2).is_err());
        assert!(metrics.add(&[2], &[0], 1).is_err());
    }
}
