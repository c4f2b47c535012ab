//! Mean and standard deviation.

/// Returns the arithmetic mean; `None` without values, or where one is not finite.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().sum();
    (!values.is_empty() && sum.is_finite()).then(|| sum / values.len() as f64)
}

/// Returns the standard deviation of a sample, with n - 1 (Bessel); `None` of fewer than two values, or where one is
/// not finite.
///
/// Exactly 0 where the values differ by no more than the rounding of their own arithmetic: 0.64 - 0.62 and 0.12 - 0.10
/// are the same difference.
#[must_use]
pub fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    if values.len() < 2 {
        return None;
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (squares / (values.len() - 1) as f64).sqrt();
    let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    Some(if deviation <= 1e-12 * largest.max(1.0) { 0.0 } else { deviation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!((mean(&[1.0, 2.0, 6.0]), deviation(&[1.0, 2.0, 6.0])), (Some(3.0), Some(7f64.sqrt())));
        assert_eq!((mean(&[4.0]), deviation(&[4.0])), (Some(4.0), None));
        assert_eq!((mean(&[]), deviation(&[])), (None, None));
        assert_eq!((mean(&[1.0, f64::NAN]), deviation(&[1.0, f64::INFINITY])), (None, None));
    }

    #[test]
    fn rounding_is_no_spread() {
        let differences = [0.64 - 0.62, 0.12 - 0.10, 0.12 - 0.10];
        assert_ne!(differences[0], differences[1]);
        assert_eq!(deviation(&differences), Some(0.0));
        assert!(deviation(&[1e-9, 2e-9]).unwrap() > 0.0);
    }
}
