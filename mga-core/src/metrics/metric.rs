//! Metrics as a kind of component: numbers that an evaluation gives.

use mga_registry::{Entry, Kind};

use super::classification::ClassificationSummary;
use super::confusion::Confusion;
use super::segmentation::SegmentationSummary;

/// The kind of component that `eval.metric` names.
#[derive(Debug, Clone, Copy)]
pub struct Metrics;

impl Kind for Metrics {
    type Item = Metric;
    const TITLE: &'static str = "metrics";
    const KEY: &'static str = "eval.metric";
}

/// A number that an evaluation gives, by which a checkpoint can be selected. Its name and one line about it are its entry's.
///
/// Each registered metric is computed in every evaluation whose predictions it is computed from.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// The unit for people.
    pub unit: Unit,
    /// The direction in which values improve.
    pub better: Better,
    /// The computation of the metric.
    pub compute: Compute,
}

/// The unit of a number for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share of 1, shown as a percentage.
    Percent,
    /// A plain number.
    Number,
}

/// The better of two values of a metric: the higher or the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The higher one.
    Higher,
    /// The lower one.
    Lower,
}

/// The computation of a metric from the predictions of a task. It returns `None` if there is nothing to compute it
/// from.
#[derive(Debug, Clone, Copy)]
pub enum Compute {
    /// From class scores of images.
    Scores(fn(&Scored<'_>) -> Option<f64>),
    /// From label maps.
    LabelMaps(fn(&Mapped<'_>) -> Option<f64>),
    /// By the task of this name, whose predictions are of its own kind.
    Task(&'static str),
}

/// The kind of a task's predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predictions {
    /// Class scores of images, `[N, classes]`.
    Scores,
    /// A class for every pixel.
    LabelMaps,
    /// Of the own kind of the task of this name.
    Task(&'static str),
}

/// The predictions of an evaluation: class scores of images.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// The scores (logits), `[N, classes]` row by row.
    pub scores: &'a [f32],
    /// The label of each image, `N`; `None`: it has none, and counts in no metric.
    pub labels: &'a [Option<usize>],
    /// The names of the classes, in the order of the scores.
    pub classes: &'a [String],
    /// Labelled images by label and predicted class.
    pub confusion: &'a Confusion,
    /// The numbers that are accumulated image by image.
    pub summary: &'a ClassificationSummary,
}

impl<'a> Scored<'a> {
    /// Returns the scores `[classes]` and the label of every image that has one.
    pub fn labelled(&self) -> impl Iterator<Item = (&'a [f32], usize)> {
        let rows = self.scores.chunks_exact(self.classes.len().max(1));
        rows.zip(self.labels).filter_map(|(scores, label)| Some((scores, (*label)?)))
    }
}

/// The predictions of an evaluation: label maps.
#[derive(Debug, Clone, Copy)]
pub struct Mapped<'a> {
    /// The names of the classes.
    pub classes: &'a [String],
    /// Pixels by label and predicted class.
    pub confusion: &'a Confusion,
    /// The numbers that are accumulated image by image.
    pub summary: &'a SegmentationSummary,
}

impl Metric {
    /// Creates a metric of class scores.
    #[must_use]
    pub const fn of_scores(unit: Unit, better: Better, compute: fn(&Scored<'_>) -> Option<f64>) -> Self {
        Self { unit, better, compute: Compute::Scores(compute) }
    }

    /// Creates a metric of label maps.
    #[must_use]
    pub const fn of_label_maps(unit: Unit, better: Better, compute: fn(&Mapped<'_>) -> Option<f64>) -> Self {
        Self { unit, better, compute: Compute::LabelMaps(compute) }
    }

    /// Returns what it is computed from.
    #[must_use]
    pub fn predictions(&self) -> Predictions {
        match self.compute {
            Compute::Scores(_) => Predictions::Scores,
            Compute::LabelMaps(_) => Predictions::LabelMaps,
            Compute::Task(name) => Predictions::Task(name),
        }
    }

    /// Returns the metric as a score, of which higher is better; and the metric of a score.
    #[must_use]
    pub fn score(&self, value: f64) -> f64 {
        match self.better {
            Better::Higher => value,
            Better::Lower => -value,
        }
    }
}

/// Returns the metrics of this crate.
#[must_use]
pub fn metrics() -> Vec<Entry<Metrics>> {
    use Better::{Higher, Lower};
    use Unit::{Number, Percent};
    let entry = |name: &str, about: &str, metric| Entry::<Metrics>::new(name, about, std::sync::Arc::new(metric));
    let scores = |better, unit, compute| Metric::of_scores(unit, better, compute);
    vec![
        entry("top1", "Share of images whose first guess is right.", scores(Higher, Percent, |s| s.summary.top1)),
        entry(
            "top5",
            "Share of images whose label is among the first five guesses.",
            scores(Higher, Percent, |s| s.summary.top5),
        ),
        entry(
            "balanced_accuracy",
            "Mean over the classes of the share that is right.",
            scores(Higher, Percent, |s| s.summary.balanced_accuracy),
        ),
        entry("macro_f1", "Mean over the classes of F1.", scores(Higher, Percent, |s| s.summary.macro_f1)),
        entry(
            "cross_entropy",
            "Mean cross entropy; lower is better.",
            scores(Lower, Number, |s| s.summary.cross_entropy),
        ),
        entry(
            "mean_iou",
            "Segmentation: mean over the classes of intersection over union.",
            Metric::of_label_maps(Percent, Higher, |maps| maps.summary.mean_iou),
        ),
        entry(
            "boundary_f",
            "Segmentation: mean over the classes of the boundary F-measure.",
            Metric::of_label_maps(Percent, Higher, |maps| maps.summary.boundary_f),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::classification::ClassificationMetrics;
    use super::*;

    #[test]
    fn metrics_of_scores_are_computed_from_one_evaluation() {
        let (scores, labels) = ([2.0f32, 1.0, 0.0, 3.0, 1.0, 0.0], [Some(0), None, Some(1)]);
        let classes = ["a".to_owned(), "b".to_owned()];
        let mut accumulated = ClassificationMetrics::new(2);
        accumulated.add(&scores[..2], 0).unwrap();
        accumulated.add(&scores[4..], 1).unwrap();
        let (summary, confusion) = (accumulated.summary(), accumulated.confusion().clone());
        let scored =
            Scored { scores: &scores, labels: &labels, classes: &classes, confusion: &confusion, summary: &summary };
        let labelled: Vec<_> = scored.labelled().collect();
        assert_eq!(labelled, [(&scores[..2], 0), (&scores[4..], 1)]);
        let value = |name: &str| {
            let metric = metrics().into_iter().find(|entry| entry.name == name).unwrap();
            match metric.item.compute {
                Compute::Scores(compute) => metric.item.score(compute(&scored).unwrap()),
                _ => panic!("{name} is of other predictions"),
            }
        };
        assert_eq!(value("top1"), 0.5);
        assert!(value("cross_entropy") < 0.0, "lower is better");
    }
}
