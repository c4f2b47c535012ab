//! The bootstrap: how much a number owes to the images that happened to be in the test set.

use rayon::prelude::*;

use super::interval::Interval;
use crate::random::Generator;

/// The number of resamples, and the seed they are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resampling {
    /// Times that all units are drawn anew.
    pub resamples: usize,
    /// Seed of the draws: the same seed draws the same units, whatever the statistic and the number of threads.
    pub seed: u64,
}

impl Default for Resampling {
    /// 2000 times: the ends of a 95 % interval then rest on 50 values each.
    fn default() -> Self {
        Self { resamples: 2000, seed: 0 }
    }
}

/// Computes the percentile interval (Efron and Tibshirani 1993, *An Introduction to the Bootstrap*, chapter 13) of a
/// statistic over `units` units drawn with replacement.
///
/// `statistic` is given how often each unit was drawn. What belongs together (predictions of one image by several seeds
/// and by both sides of a comparison) is one unit. `None` without units, or where the statistic is.
///
/// ```
/// use mga_core::statistics::{Resampling, bootstrap};
///
/// // The accuracy over ten test images, of which eight are predicted correctly.
/// let correct = [1, 1, 1, 0, 1, 1, 0, 1, 1, 1];
/// let accuracy = |counts: &[u32]| {
///     let right: u32 = counts.iter().zip(correct).map(|(count, correct)| count * correct).sum();
///     Some(f64::from(right) / 10.0)
/// };
/// let interval = bootstrap(10, 0.95, Resampling::default(), accuracy).expect("ten images");
/// assert!(interval.low < 0.8 && interval.high > 0.8);
/// ```
pub fn bootstrap(
    units: usize,
    confidence: f64,
    resampling: Resampling,
    statistic: impl Fn(&[u32]) -> Option<f64> + Sync,
) -> Option<Interval> {
    if units == 0 || resampling.resamples == 0 || !(0.0..1.0).contains(&confidence) {
        return None;
    }
    let drawn: Option<Vec<f64>> = (0..resampling.resamples as u64)
        .into_par_iter()
        .map(|resample| {
            let mut generator = Generator::new(resampling.seed, "bootstrap", &[resample]);
            let mut counts = vec![0u32; units];
            (0..units).for_each(|_| counts[generator.below(units)] += 1);
            statistic(&counts).filter(|value| value.is_finite())
        })
        .collect();
    let mut drawn = drawn?;
    drawn.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval { low: quantile(&drawn, tail)?, high: quantile(&drawn, 1.0 - tail)? })
}

/// Returns the quantile of sorted values, linear between them (Hyndman and Fan's type 7, NumPy's default); `None`
/// without values.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let fraction = place - place.floor();
    Some(sorted[below] + fraction * (sorted[above] - sorted[below]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(values: &[f64]) -> impl Fn(&[u32]) -> Option<f64> + '_ {
        |counts| {
            let sum: f64 = values.iter().zip(counts).map(|(value, &count)| value * f64::from(count)).sum();
            Some(sum / values.len() as f64)
        }
    }

    #[test]
    fn quantiles_by_hand() {
        let values = [1.0, 2.0, 4.0];
        let quantiles = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| quantile(&values, share).unwrap());
        assert_eq!(quantiles, [1.0, 1.5, 2.0, 3.0, 4.0]);
        assert_eq!((quantile(&[], 0.5), quantile(&[7.0], 0.9)), (None, Some(7.0)));
    }

    #[test]
    fn of_many_values_it_is_the_normal_interval() {
        let mut generator = Generator::new(5, "values", &[]);
        let values: Vec<f64> = (0..2000).map(|_| generator.normal()).collect();
        let interval = bootstrap(values.len(), 0.95, Resampling::default(), mean_of(&values)).unwrap();
        let mean = values.iter().sum::<f64>() / 2000.0;
        let error = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 2000.0 / 2000.0).sqrt();
        // The ends rest on 50 of 2000 draws each: off by about 6 % of the half width at one standard error.
        assert!((interval.low - (mean - 1.96 * error)).abs() < 0.3 * error, "{interval:?}");
        assert!((interval.high - (mean + 1.96 * error)).abs() < 0.3 * error, "{interval:?}");
    }

    #[test]
    fn the_seed_decides_and_threads_do_not() {
        let values: Vec<f64> = (0..40).map(f64::from).collect();
        let draw = |seed, threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bootstrap(40, 0.95, Resampling { resamples: 200, seed }, mean_of(&values)).unwrap())
        };
        assert_eq!(draw(1, 1), draw(1, 3));
        assert_ne!(draw(1, 1), draw(2, 1));
    }

    #[test]
    fn questions_without_an_answer() {
        let plan = Resampling { resamples: 10, seed: 0 };
        assert_eq!(bootstrap(0, 0.95, plan, |_| Some(0.0)), None);
        assert_eq!(bootstrap(5, 0.95, plan, |_| None), None);
        assert_eq!(bootstrap(5, 0.95, plan, |_| Some(f64::NAN)), None);
        assert_eq!(bootstrap(5, 0.95, plan, |_| Some(2.0)), Some(Interval { low: 2.0, high: 2.0 }));
    }
}
