//! Statistics of repeated runs: intervals, paired tests, corrections for many comparisons. Pure functions of numbers.
//!
//! A function gives `None` where its question has no answer (too few values, a value that is not a number, no spread at
//! all), never a number that would pass for one. Reference values in the tests come from
//! `scripts/statistics/reference.py`.

mod bootstrap;
mod distributions;
mod holm;
mod interval;
mod mcnemar;
mod moments;
mod rank_share;
mod t_test;
mod wilson;

pub use bootstrap::{Resampling, bootstrap, quantile};
pub use holm::holm;
pub use interval::Interval;
pub use mcnemar::{FEW_DISCORDANT, McNemar, mcnemar, mcnemar_clustered};
pub use moments::{deviation, mean};
pub use rank_share::{RankShare, rank_share, ranks, spearman};
pub use t_test::{TTest, corrected_resampled_t, t_test};
pub use wilson::wilson;
