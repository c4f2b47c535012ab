//! Wilson's interval of a proportion.

use super::distributions::normal_quantile;
use super::interval::Interval;

/// Computes the score interval (Wilson 1927, *Probable Inference*, JASA 22) of a proportion: `successes` among `n`
/// independent trials. `None` without trials, or with more successes than trials.
#[must_use]
pub fn wilson(successes: u64, n: u64, confidence: f64) -> Option<Interval> {
    if n == 0 || successes > n {
        return None;
    }
    let (z, n, share) = (normal_quantile(confidence)?, n as f64, successes as f64 / n as f64);
    let centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    Some(Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_statsmodels_says() {
        for (successes, n, low, high) in WILSON {
            let interval = wilson(successes, n, 0.95).unwrap();
            assert!((interval.low - low).abs() < 1e-9 && (interval.high - high).abs() < 1e-9, "{interval:?}");
        }
        assert_eq!((wilson(0, 0, 0.95), wilson(3, 2, 0.95)), (None, None));
    }

    // scipy 1.17.1, statsmodels 0.15.0: scripts/statistics/reference.py
    const WILSON: [(u64, u64, f64, f64); 5] = [
        (0, 10, 0.0, 0.27753279986288926),
        (10, 10, 0.7224672001371106, 1.0),
        (187, 200, 0.891980920700931, 0.9616236453508471),
        (1, 3, 0.06149194472039626, 0.7923403991979523),
        (30, 50, 0.4618143774758935, 0.7239161026974344),
    ];
}
