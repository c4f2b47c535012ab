//! The numbers that an evaluation of a classifier gives.

use mga_experiment::{Better, Metric, Unit};

const fn share(name: &'static str, about: &'static str) -> Metric {
    Metric { name, about, unit: Unit::Percent, better: Better::Higher }
}

/// The metrics of a classifier; the first selects checkpoints where nothing is said.
pub const METRICS: &[Metric] = &[
    share("top1", "Share of images whose first guess is right."),
    share("top5", "Share of images whose label is among the first five guesses."),
    share("balanced_accuracy", "Mean over the classes of the share that is right."),
    share("macro_f1", "Mean over the classes of F1."),
    Metric {
        name: "cross_entropy",
        about: "Mean cross entropy; lower is better.",
        unit: Unit::Number,
        better: Better::Lower,
    },
];
