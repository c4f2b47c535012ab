//! Tails and quantiles, on statrs.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::erf::erfc;

/// P(|T| >= |t|) of Student's t; `None` where t or the degrees of freedom are no numbers.
pub(super) fn t_two_sided(t: f64, degrees: f64) -> Option<f64> {
    let distribution = StudentsT::new(0.0, 1.0, degrees).ok()?;
    t.is_finite().then(|| (2.0 * distribution.sf(t.abs())).clamp(0.0, 1.0))
}

/// The t that |T| stays below with probability `confidence`.
pub(super) fn t_quantile(confidence: f64, degrees: f64) -> Option<f64> {
    let distribution = StudentsT::new(0.0, 1.0, degrees).ok()?;
    (confidence > 0.0 && confidence < 1.0).then(|| distribution.inverse_cdf(0.5 + confidence / 2.0))
}

/// The z that |Z| stays below with probability `confidence`.
pub(super) fn normal_quantile(confidence: f64) -> Option<f64> {
    let distribution = Normal::new(0.0, 1.0).ok()?;
    (confidence > 0.0 && confidence < 1.0).then(|| distribution.inverse_cdf(0.5 + confidence / 2.0))
}

/// P(X >= x) of chi-squared with one degree of freedom.
pub(super) fn chi_squared_tail(x: f64) -> f64 {
    erfc((x.max(0.0) / 2.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-9 * b.abs().max(1e-12), "{a:e}, expected {b:e}");
    }

    #[test]
    fn as_scipy_says() {
        for (confidence, degrees, expected) in T_QUANTILES {
            close(t_quantile(confidence, degrees).unwrap(), expected);
        }
        for (t, degrees, expected) in T_TAILS {
            close(t_two_sided(t, degrees).unwrap(), expected);
            close(t_two_sided(-t, degrees).unwrap(), expected);
        }
        for (x, expected) in CHI_TAILS {
            close(chi_squared_tail(x), expected);
        }
        close(normal_quantile(0.95).unwrap(), NORMAL);
        assert_eq!(t_two_sided(0.0, 3.0), Some(1.0));
    }

    #[test]
    fn no_distribution_no_number() {
        assert_eq!((t_two_sided(f64::NAN, 3.0), t_two_sided(1.0, 0.0), t_quantile(1.0, 3.0)), (None, None, None));
    }

    // scipy 1.17.1, statsmodels 0.15.0: scripts/statistics/reference.py
    const T_QUANTILES: [(f64, f64, f64); 18] = [
        (0.9, 1.0, 6.313751514675037),
        (0.95, 1.0, 12.706204736174694),
        (0.99, 1.0, 63.656741162871526),
        (0.9, 2.0, 2.9199855803537242),
        (0.95, 2.0, 4.302652729749462),
        (0.99, 2.0, 9.924843200918287),
        (0.9, 4.0, 2.1318467863266495),
        (0.95, 4.0, 2.7764451051977934),
        (0.99, 4.0, 4.604094871349992),
        (0.9, 9.0, 1.833112932656237),
        (0.95, 9.0, 2.262157162798205),
        (0.99, 9.0, 3.249835541592126),
        (0.9, 29.0, 1.6991270265334972),
        (0.95, 29.0, 2.045229642132703),
        (0.99, 29.0, 2.756385903670605),
        (0.9, 250.0, 1.650971489812858),
        (0.95, 250.0, 1.9694983934211532),
        (0.99, 250.0, 2.5956376304661806),
    ];
    const T_TAILS: [(f64, f64, f64); 24] = [
        (0.01, 1.0, 0.993634014470186),
        (1.0, 1.0, 0.5000000000000001),
        (2.5, 1.0, 0.24223788318168682),
        (12.0, 1.0, 0.052929352119179755),
        (0.01, 2.0, 0.992929108958201),
        (1.0, 2.0, 0.4226497308103742),
        (2.5, 2.0, 0.12961172022151082),
        (12.0, 2.0, 0.00687293367715846),
        (0.01, 4.0, 0.9925001562458985),
        (1.0, 4.0, 0.37390096630005887),
        (2.5, 4.0, 0.06676654481198814),
        (12.0, 4.0, 0.000276428548502973),
        (0.01, 9.0, 0.9922394455363253),
        (1.0, 9.0, 0.3434363961379136),
        (2.5, 9.0, 0.033861827682985735),
        (12.0, 9.0, 7.699886222985653e-07),
        (0.01, 29.0, 0.9920897648032249),
        (1.0, 29.0, 0.32558198801619365),
        (2.5, 29.0, 0.018325344338426086),
        (12.0, 29.0, 9.060708333137183e-13),
        (0.01, 250.0, 0.9920292626054438),
        (1.0, 250.0, 0.3182774222334547),
        (2.5, 250.0, 0.013060882825066131),
        (12.0, 250.0, 1.6735296226983602e-26),
    ];
    const CHI_TAILS: [(f64, f64); 5] = [
        (0.0, 1.0),
        (0.1, 0.7518296340458492),
        (3.841458820694124, 0.04999999999999989),
        (10.0, 0.001565402258002549),
        (60.0, 9.485737571073857e-15),
    ];
    const NORMAL: f64 = 1.959963984540054;
}
