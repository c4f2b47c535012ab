//! A metric: the accuracy of the class that is told worst.

use std::sync::Arc;

use mga_core::metrics::{Better, Metric, Metrics, Scored, Unit};
use mga_registry::Entry;

/// Returns the metric that an experiment selects with `eval.metric = "worst_class"`. It is computed in every evaluation
/// of class scores, named or not.
pub fn entry() -> Entry<Metrics> {
    let metric = Metric::of_scores(Unit::Percent, Better::Higher, worst_class);
    Entry::<Metrics>::new(
        "worst_class",
        "Share of images that is right, of the class where it is least.",
        Arc::new(metric),
    )
}

/// The least accuracy of a class, 0 to 1; `None` without labelled images.
fn worst_class(scored: &Scored<'_>) -> Option<f64> {
    scored.confusion.class_accuracy().into_iter().flatten().reduce(f64::min)
}

#[cfg(test)]
mod tests {
    use mga_core::metrics::{ClassificationMetrics, Compute};

    use super::*;

    #[test]
    fn the_worst_class_counts_alone() {
        let classes = ["a", "b", "unseen"].map(str::to_owned);
        let mut accumulated = ClassificationMetrics::new(3);
        for (scores, label) in [([1f32, 0.0, 0.0], 0), ([1.0, 0.0, 0.0], 1), ([0.0, 1.0, 0.0], 1), ([0.0, 1.0, 0.0], 1)]
        {
            accumulated.add(&scores, label).unwrap();
        }
        let (summary, confusion) = (accumulated.summary(), accumulated.confusion());
        let scored = Scored { scores: &[], labels: &[], classes: &classes, confusion, summary: &summary };
        let Compute::Scores(compute) = entry().item.compute else { panic!("not of scores") };
        assert_eq!(compute(&scored), Some(2.0 / 3.0));
    }
}
