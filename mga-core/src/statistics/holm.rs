//! Holm's step-down.

/// Adjusts p values for multiple tests (Holm 1979, *A Simple Sequentially Rejective Multiple Test Procedure*,
/// Scandinavian Journal of Statistics 6). If all tests with an adjusted p of at most alpha are rejected, the
/// probability of any false rejection is at most alpha, however the tests depend on each other. The result has the
/// order of `p`. NaN stays NaN and does not count as a test.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![f64::NAN; p.len()];
    let mut highest: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        highest = highest.max((order.len() - rank) as f64 * p[index]).min(1.0);
        adjusted[index] = highest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let close = |p: &[f64], expected: &[f64]| {
            let adjusted = holm(p);
            let same = adjusted.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12 || a.is_nan() && b.is_nan());
            assert!(same && adjusted.len() == expected.len(), "{adjusted:?}, expected {expected:?}");
        };
        // 3 x 0.01, then 2 x 0.02 = 0.04, then 0.03, which may not fall below.
        close(&[0.02, 0.01, 0.03], &[0.04, 0.03, 0.04]);
        close(&[0.5, 0.5, 0.0004], &[1.0, 1.0, 0.0012]);
        close(&[0.04], &[0.04]);
        close(&[0.02, f64::NAN, 0.02], &[0.04, f64::NAN, 0.04]);
        close(&[], &[]);
        close(&[0.01, 0.04, 0.03, 0.005, 0.5], &HOLM);
    }

    // scipy 1.17.1, statsmodels 0.15.0: scripts/statistics/reference.py
    const HOLM: [f64; 5] = [0.04, 0.09, 0.09, 0.025, 0.5];
}
