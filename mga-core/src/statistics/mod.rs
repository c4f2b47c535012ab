//! Statistics of repeated runs: intervals, paired tests, corrections for many comparisons. Pure functions of numbers.
//!
//! A function gives `None` where its question has no answer (too few values, a value that is not a number, no spread at
//! all), never a number that would pass for one. Reference values in the tests come from
//! `scripts/statistics/reference.py`.

mod bootstrap;
mod distributions;
mod holm;
mod mcnemar;
mod moments;
mod rank_share;
mod t_test;
mod wilson;

pub use bootstrap::{Resampling, bootstrap, quantile};
pub use holm::holm;
pub use mcnemar::{FEW_DISCORDANT, McNemar, mcnemar, mcnemar_clustered};
pub use moments::{deviation, mean};
pub use rank_share::{RankShare, rank_share, ranks, spearman};
pub use t_test::{TTest, corrected_resampled_t, t_test};
pub use wilson::wilson;

/// From a low end to a high one.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// The low end.
    pub low: f64,
    /// The high end.
    pub high: f64,
}

impl Interval {
    /// Whether a value lies in it, ends included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}
