//! Otsu's threshold (N. Otsu 1979, "A threshold selection method from gray-level histograms").

/// Levels that values are counted in.
const LEVELS: usize = 256;

/// The value in `low..=high` that parts `values` into two classes with the greatest variance between them: those above it,
/// and the others. The middle of the gap where several part them alike. `None` where all are of one level.
pub(super) fn otsu_threshold(values: &[f64], (low, high): (f64, f64)) -> Option<f64> {
    let step = (high - low) / (LEVELS - 1) as f64;
    let mut counts = [0u64; LEVELS];
    for value in values {
        let level = ((value - low) / step).round().clamp(0.0, (LEVELS - 1) as f64) as usize;
        counts[level] += 1;
    }
    let total = values.len() as f64;
    let sum: f64 = counts.iter().enumerate().map(|(level, &count)| level as f64 * count as f64).sum();
    let (mut below, mut sum_below) = (0.0, 0.0);
    // The greatest variance so far, and the first and last level that reach it.
    let mut best: Option<(f64, usize, usize)> = None;
    for (level, &count) in counts.iter().enumerate() {
        below += count as f64;
        sum_below += level as f64 * count as f64;
        let above = total - below;
        if below == 0.0 || above == 0.0 {
            continue;
        }
        let distance = sum_below / below - (sum - sum_below) / above;
        let variance = below * above * distance * distance;
        best = match best {
            Some((greatest, first, _)) if variance == greatest => Some((greatest, first, level)),
            Some((greatest, ..)) if variance < greatest => best,
            _ => Some((variance, level, level)),
        };
    }
    // Between the level that is still below and the next one.
    best.map(|(_, first, last)| low + step * ((first + last) as f64 / 2.0 + 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_groups_are_parted_in_the_middle_of_their_gap() {
        // Levels 10, 20 and 200: parting behind 20 leaves 15 against 200, a variance of 2 x 1 x 185^2 = 68 450; behind 10,
        // 10 against 110, 1 x 2 x 100^2 = 20 000. All levels from 20 to 199 part alike: (20 + 199) / 2 + 1/2.
        let threshold = otsu_threshold(&[10.0, 20.0, 200.0], (0.0, 255.0));
        assert_eq!(threshold, Some(110.0));
    }

    #[test]
    fn ranges_scale_and_constants_have_no_threshold() {
        let threshold = otsu_threshold(&[-1.0, 2.0], (-1.0, 2.0)).unwrap();
        assert!((threshold - 0.5).abs() < 1e-12, "{threshold}");
        assert_eq!(otsu_threshold(&[0.3; 5], (0.0, 1.0)), None);
        assert_eq!(otsu_threshold(&[], (0.0, 1.0)), None);
    }
}
