//! Student's t: the interval of a mean and the test of a mean against 0, for independent values and for resampled splits.

use super::distributions::{t_quantile, t_two_sided};
use super::interval::Interval;
use super::moments::{deviation, mean};

/// The mean of some values against 0, two-sided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TTest {
    /// Values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with n - 1.
    pub deviation: f64,
    /// The standard error of the mean.
    pub error: f64,
    /// The t statistic, mean / error.
    pub t: f64,
    /// The degrees of freedom, n - 1.
    pub degrees: f64,
    /// P(|T| >= |t|) if the true mean were 0.
    pub p: f64,
    /// Interval of the mean.
    pub interval: Interval,
}

/// Computes the one-sample t test (Student 1908) with its interval. On differences of pairs it is the paired t test.
///
/// `confidence` in 0 to 1, such as 0.95. `None` of fewer than two values, where one is not finite, and where all are the
/// same: t has no value then, and two equal differences do not prove one.
///
/// ```
/// use mga_core::statistics::t_test;
///
/// // The differences in accuracy between two arms, in points, paired by seed.
/// let test = t_test(&[0.9, 1.6, 0.4, 1.1, 0.8], 0.95).expect("five different values");
/// assert!(test.p < 0.05 && test.interval.low > 0.0);
/// ```
#[must_use]
pub fn t_test(values: &[f64], confidence: f64) -> Option<TTest> {
    with_variance_factor(values, 1.0 / values.len() as f64, confidence)
}

/// Computes the corrected resampled t test (Nadeau and Bengio 2003, *Inference for the Generalization Error*, Machine
/// Learning 52, section 4.1.2; over repeated cross-validation as in Bouckaert and Frank 2004), with its interval.
///
/// Training sets of resampled splits overlap, so that values over them are not independent, and s^2 / n is too small a
/// variance of their mean. It is (1 / n + `test_over_train`) s^2 here, the second being images of a test set over images of
/// a training set. `None` as of [`t_test`], and where the ratio is negative or no number.
#[must_use]
pub fn corrected_resampled_t(values: &[f64], test_over_train: f64, confidence: f64) -> Option<TTest> {
    if !test_over_train.is_finite() || test_over_train < 0.0 {
        return None;
    }
    with_variance_factor(values, 1.0 / values.len() as f64 + test_over_train, confidence)
}

fn with_variance_factor(values: &[f64], factor: f64, confidence: f64) -> Option<TTest> {
    let (n, mean) = (values.len(), mean(values)?);
    let deviation = deviation(values).filter(|&deviation| deviation > 0.0)?;
    let error = deviation * factor.sqrt();
    let (t, degrees) = (mean / error, (n - 1) as f64);
    let half = t_quantile(confidence, degrees)? * error;
    let interval = Interval { low: mean - half, high: mean + half };
    Some(TTest { n, mean, deviation, error, t, degrees, p: t_two_sided(t, degrees)?, interval })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-9 * b.abs().max(1e-3), "{a:e}, expected {b:e}");
    }

    #[test]
    fn two_pairs_by_hand() {
        // One degree of freedom is Cauchy's: P(|T| >= t) = 1 - 2 atan(t) / pi.
        let test = t_test(&[1.0, 3.0], 0.95).unwrap();
        assert_eq!((test.n, test.mean, test.deviation, test.degrees), (2, 2.0, 2f64.sqrt(), 1.0));
        close(test.t, 2.0);
        close(test.p, 1.0 - 2.0 * 2f64.atan() / std::f64::consts::PI);
        close(test.interval.high - 2.0, (0.475 * std::f64::consts::PI).tan());
    }

    #[test]
    fn as_scipy_says() {
        let test = t_test(&DIFFERENCES, 0.95).unwrap();
        [(test.t, PAIRED.0), (test.p, PAIRED.1), (test.interval.low, PAIRED.2), (test.interval.high, PAIRED.3)]
            .iter()
            .for_each(|&(a, b)| close(a, b));
    }

    #[test]
    fn the_correction_by_hand_and_by_scipy() {
        let plain = t_test(&DIFFERENCES, 0.95).unwrap();
        let corrected = corrected_resampled_t(&DIFFERENCES, 1.0 / 9.0, 0.95).unwrap();
        let n = DIFFERENCES.len() as f64;
        close(corrected.error, plain.deviation * (1.0 / n + 1.0 / 9.0).sqrt());
        close(corrected.t, CORRECTED.0);
        close(corrected.p, CORRECTED.1);
        assert!(corrected.p > plain.p);
        assert_eq!(corrected_resampled_t(&DIFFERENCES, 0.0, 0.95), Some(plain));
        assert_eq!(corrected_resampled_t(&DIFFERENCES, f64::NAN, 0.95), None);
    }

    #[test]
    fn questions_without_an_answer() {
        for values in [&[][..], &[1.0], &[2.0, 2.0, 2.0], &[1.0, f64::NAN], &[0.0, 0.0], &[0.64 - 0.62, 0.12 - 0.10]] {
            assert_eq!(t_test(values, 0.95), None, "{values:?}");
        }
        assert_eq!(t_test(&[-1.0, 1.0], 0.95).unwrap().p, 1.0);
    }

    // scipy 1.17.1, statsmodels 0.15.0: scripts/statistics/reference.py
    const DIFFERENCES: [f64; 10] = [
        0.007000000000000006,
        0.014000000000000012,
        -0.0040000000000000036,
        0.017999999999999905,
        0.007000000000000006,
        0.01100000000000001,
        0.0030000000000000027,
        0.019000000000000017,
        -0.0030000000000000027,
        0.017999999999999905,
    ];
    const PAIRED: (f64, f64, f64, f64) =
        (3.354101966249687, 0.008468150403154207, 0.002929995369834186, 0.015070004630165786);
    const CORRECTED: (f64, f64) = (2.3084512921915983, 0.04635384769328551);
}
