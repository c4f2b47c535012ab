//! McNemar's test of two classifiers on the same images.

use super::distributions::chi_squared_tail;

/// The number of discordant predictions below which the exact test is used.
pub const FEW_DISCORDANT: u64 = 25;

/// McNemar's test (McNemar 1947, *Note on the Sampling Error of the Difference Between Correlated Proportions*).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    /// The p value, two-sided.
    pub p: f64,
    /// Whether it is the exact binomial one; else chi-squared with continuity correction (Edwards 1948).
    pub exact: bool,
}

/// Tests whether two classifiers are right equally often, from the images that `one` alone or `other` alone has right.
///
/// Of fewer than [`FEW_DISCORDANT`] such images the exact binomial p, min(1, 2 P(X <= min)), X of B(n, 1/2); else
/// chi-squared = (|one - other| - 1)^2 / (one + other) with one degree of freedom. 1 where the classifiers agree throughout.
#[must_use]
pub fn mcnemar(one: u64, other: u64) -> McNemar {
    let (n, few) = (one + other, one.min(other));
    if n < FEW_DISCORDANT {
        // Binomial coefficients by Pascal's rule along the row; all are whole numbers that f64 holds exactly.
        let mut term = 1.0;
        let mut sum = 0.0;
        for k in 0..=few {
            sum += term;
            term = term * (n - k) as f64 / (k + 1) as f64;
        }
        let p = (2.0 * sum * 0.5f64.powi(i32::try_from(n).unwrap_or(i32::MAX))).min(1.0);
        return McNemar { p, exact: true };
    }
    let statistic = (one.abs_diff(other) as f64 - 1.0).max(0.0).powi(2) / n as f64;
    McNemar { p: chi_squared_tail(statistic), exact: false }
}

/// Computes McNemar's test for images that were predicted several times, for example with several seeds: Durkalski,
/// Palesch, Lipsitz and Rust 2003, *Analysis of Clustered Matched-Pair Data*, Statistics in Medicine 22.
///
/// `images`: for each image the share of its predictions that `one` alone has right, minus the share that `other` alone
/// has right. Chi-squared = (sum d)^2 / (sum d^2) with one degree of freedom. `None` where fewer than [`FEW_DISCORDANT`]
/// differ from 0, too few for that approximation.
#[must_use]
pub fn mcnemar_clustered(images: &[f64]) -> Option<f64> {
    let discordant = images.iter().filter(|&&difference| difference != 0.0).count();
    let (sum, squares) = images.iter().fold((0.0, 0.0), |(sum, squares), d| (sum + d, squares + d * d));
    let enough = discordant as u64 >= FEW_DISCORDANT && f64::is_finite(squares);
    enough.then(|| chi_squared_tail(sum * sum / squares))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_by_hand() {
        assert_eq!(mcnemar(0, 0), McNemar { p: 1.0, exact: true });
        assert_eq!(mcnemar(3, 3), McNemar { p: 1.0, exact: true });
        // 2 (1 + 6) / 64.
        assert_eq!(mcnemar(5, 1), McNemar { p: 14.0 / 64.0, exact: true });
        assert_eq!(mcnemar(1, 5), mcnemar(5, 1));
        assert_eq!(mcnemar(6, 0).p, 2.0 / 64.0);
    }

    #[test]
    fn as_statsmodels_says() {
        for (one, other, p, exact) in MCNEMAR {
            let test = mcnemar(one, other);
            assert_eq!(test.exact, exact);
            assert!((test.p - p).abs() <= 1e-9 * p, "{one}, {other}: {:e}, expected {p:e}", test.p);
        }
        assert_eq!(mcnemar(20, 20).p, 1.0);
    }

    #[test]
    fn an_image_predicted_once_is_its_own_cluster() {
        // Without clusters it is McNemar's chi-squared without correction: (30 - 10)^2 / 40 = 10.
        let images: Vec<f64> = [1.0; 30].into_iter().chain([-1.0; 10]).chain([0.0; 160]).collect();
        assert_eq!(mcnemar_clustered(&images), Some(chi_squared_tail(10.0)));
        // Ten seeds that agree are ten times one image, and prove no more.
        let pooled = mcnemar(300, 100).p;
        assert!(mcnemar_clustered(&images).unwrap() > 1000.0 * pooled, "{pooled}");
        assert_eq!((mcnemar_clustered(&images[..20]), mcnemar_clustered(&[])), (None, None));
    }

    // scipy 1.17.1, statsmodels 0.15.0: scripts/statistics/reference.py
    const MCNEMAR: [(u64, u64, f64, bool); 7] = [
        (1, 4, 0.375, true),
        (12, 3, 0.03515625, true),
        (0, 24, 1.1920928955078125e-07, true),
        (12, 12, 1.0, true),
        (12, 13, 1.0, false),
        (20, 40, 0.014171388254012323, false),
        (300, 200, 9.53693139989851e-06, false),
    ];
}
