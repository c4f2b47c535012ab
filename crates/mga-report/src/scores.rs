//! The cells of the table: mean, spread and interval over an arm's runs.

use mga_core::statistics::{self, corrected_resampled_t, t_test};

use super::measures::{Column, Interval, Over, Score};
use super::pairing::{is_of_folds, split_of};
use crate::results::Record;

/// Values over runs, of which some may share a split: over folds the runs of one fold are averaged first.
pub(super) struct Repeated {
    /// A value for each replicate; over resampled splits, for each split.
    pub(super) values: Vec<f64>,
    /// Test images over training images, where splits are resampled.
    pub(super) test_over_train: Option<f64>,
    /// What the values are of.
    pub(super) over: Over,
}

impl Repeated {
    /// Of runs with a value each.
    pub(super) fn of(runs: &[(&Record, f64)]) -> Self {
        let resampled = runs.iter().any(|(record, _)| !split_of(record).is_empty());
        if !resampled {
            let values = runs.iter().map(|&(_, value)| value).collect();
            return Self { values, test_over_train: None, over: Over::Runs };
        }
        let mut splits: Vec<(String, Vec<f64>)> = vec![];
        for (record, value) in runs {
            let split = split_of(record);
            match splits.iter_mut().find(|(known, _)| *known == split) {
                Some((_, values)) => values.push(*value),
                None => splits.push((split, vec![*value])),
            }
        }
        let ratio = |(record, _): &(&Record, f64)| {
            let summary = record.summary.as_ref()?;
            (summary.train_images > 0).then(|| summary.test_images as f64 / summary.train_images as f64)
        };
        let ratios: Option<Vec<f64>> = runs.iter().map(ratio).collect();
        Self {
            values: splits.iter().filter_map(|(_, values)| statistics::mean(values)).collect(),
            test_over_train: ratios.and_then(|ratios| statistics::mean(&ratios)),
            over: if runs.iter().all(|(record, _)| is_of_folds(record)) { Over::Folds } else { Over::Splits },
        }
    }

    /// The t test that fits: corrected over resampled splits, else Student's.
    pub(super) fn test(&self, confidence: f64) -> Option<statistics::TTest> {
        if self.over != Over::Runs {
            corrected_resampled_t(&self.values, self.test_over_train?, confidence)
        } else {
            t_test(&self.values, confidence)
        }
    }
}

/// A metric over runs. An interval of shares of 1 is cut to 0 to 1: nothing beyond can be the mean.
pub(super) fn score(runs: &[(&Record, f64)], column: &Column, confidence: f64) -> Score {
    let (least, most) = if column.percent { (0.0, 1.0) } else { (f64::NEG_INFINITY, f64::INFINITY) };
    let cut =
        |test: statistics::TTest| Interval { low: test.interval.low.max(least), high: test.interval.high.min(most) };
    let repeated = Repeated::of(runs);
    Score {
        n: runs.len(),
        over: repeated.over,
        values: repeated.values.len(),
        mean: statistics::mean(&repeated.values),
        deviation: statistics::deviation(&repeated.values),
        interval: repeated.test(confidence).map(cut),
    }
}
