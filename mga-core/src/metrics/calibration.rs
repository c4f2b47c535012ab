//! The calibration of a model: does its confidence match the share of correct predictions?

use serde::{Deserialize, Serialize};

/// Bins of the literature's expected calibration error.
pub const CALIBRATION_BINS: usize = 15;

/// Predictions whose confidence lies in `(low, high]`; the first bin holds 0 as well.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// The low end.
    pub low: f64,
    /// The high end.
    pub high: f64,
    /// Predictions in it.
    pub count: u64,
    /// Share of them that is right; `None` of an empty bin.
    pub accuracy: Option<f64>,
    /// Mean of their confidence; `None` of an empty bin.
    pub confidence: Option<f64>,
}

/// A reliability diagram, and the expected calibration error (Naeini, Cooper and Hauskrecht 2015; Guo, Pleiss, Sun and
/// Weinberger 2017, equation 3): the mean over predictions of |accuracy - confidence| of their bin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Bins of equal width over 0 to 1.
    pub bins: Vec<CalibrationBin>,
    /// Expected calibration error, in 0 to 1; `None` without predictions.
    pub error: Option<f64>,
}

impl Calibration {
    /// Computes the calibration of predictions from their confidence (a probability, as softmax gives it) and whether
    /// they are correct. Confidences outside 0 to 1, such as NaN, are left out.
    #[must_use]
    pub fn of(predictions: impl IntoIterator<Item = (f64, bool)>, bins: usize) -> Self {
        let bins = bins.max(1);
        let mut sums = vec![(0u64, 0u64, 0.0f64); bins];
        for (confidence, correct) in predictions.into_iter().filter(|(confidence, _)| (0.0..=1.0).contains(confidence))
        {
            let bin = ((confidence * bins as f64).ceil() as usize).clamp(1, bins) - 1;
            let (count, right, sum) = &mut sums[bin];
            (*count, *right, *sum) = (*count + 1, *right + u64::from(correct), *sum + confidence);
        }
        let total: u64 = sums.iter().map(|(count, ..)| count).sum();
        let off: f64 = sums.iter().map(|&(_, right, confidence)| (right as f64 - confidence).abs()).sum();
        let bin = |(index, &(count, right, confidence)): (usize, &(u64, u64, f64))| {
            let mean = |sum: f64| (count > 0).then(|| sum / count as f64);
            CalibrationBin {
                low: index as f64 / bins as f64,
                high: (index + 1) as f64 / bins as f64,
                count,
                accuracy: mean(right as f64),
                confidence: mean(confidence),
            }
        };
        Self { bins: sums.iter().enumerate().map(bin).collect(), error: (total > 0).then(|| off / total as f64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bins_by_hand() {
        let predictions = [(0.25, true), (0.5, false), (0.75, true), (1.0, true), (f64::NAN, true)];
        let calibration = Calibration::of(predictions, 2);
        let [low, high] = calibration.bins[..] else { panic!("two bins") };
        assert_eq!((low.count, low.accuracy, low.confidence), (2, Some(0.5), Some(0.375)));
        assert_eq!((high.low, high.count, high.accuracy, high.confidence), (0.5, 2, Some(1.0), Some(0.875)));
        // Half of 0.125 and half of 0.125.
        assert_eq!(calibration.error, Some(0.125));
    }

    #[test]
    fn ends_and_nothing() {
        let calibration = Calibration::of([(0.0, false), (1.0, true)], CALIBRATION_BINS);
        assert_eq!((calibration.bins[0].count, calibration.bins[14].count, calibration.error), (1, 1, Some(0.0)));
        let nothing = Calibration::of([], 0);
        assert_eq!((nothing.bins.len(), nothing.error, nothing.bins[0].accuracy), (1, None, None));
    }
}
