//! The interface of a search: it proposes values from ranges, round by round, out of what came of those before.

use mga_experiment::KeyPath;
use mga_registry::{Kind, OwnSettings, SettingFault};
use serde_json::Value;

use super::range::Range;
use crate::file::Budget;

/// The kind of component that `search` of a sweep file names.
#[derive(Debug)]
pub struct Searches;

impl Kind for Searches {
    type Item = dyn RegisteredSearch;
    const TITLE: &'static str = "searches of sweeps";
    const KEY: &'static str = "search, of a sweep";
}

/// The time at which a search makes its draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawing {
    /// It makes none: all combinations of axes and variants are run.
    Never,
    /// All before the first run. Its draws depend on no score, and are made again each time the sweep is planned.
    AtOnce,
    /// Round by round, out of the scores on the validation images. What was drawn is kept in `draws.json`.
    InRounds,
}

/// A search as it is registered.
pub trait RegisteredSearch: Send + Sync {
    /// Returns when the draws are made.
    fn drawing(&self) -> Drawing;

    /// Returns those of `startup` and `parallel` in `[budget]` that it uses. The others are refused, because they have
    /// no effect.
    fn budget_keys(&self) -> &'static [&'static str] {
        &[]
    }

    /// Builds the search from its settings, which stand beside `name` in `search` of the sweep file and were checked against
    /// the schema of the entry.
    ///
    /// # Errors
    /// Settings that it cannot use, at their key.
    fn build(
        &self,
        settings: &OwnSettings<'_>,
        space: &[SearchDimension],
        budget: &Budget,
    ) -> Result<Box<dyn SearchStrategy>, SettingFault>;
}

/// A setting of the experiment that a search draws.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchDimension {
    /// The setting, such as `optimiser.learning_rate`.
    pub key: KeyPath,
    /// The range that its values are drawn from.
    pub range: Range,
}

/// A search at work.
pub trait SearchStrategy {
    /// Returns the draws of the next round, at most `left`: of each the values, in the order of the space. No draw: the
    /// search is over. `trials` are all draws before, in their order.
    ///
    /// The draws have to be a function of `trials` and of what the search was built from, the seed in [`Budget`] among it.
    /// Then a sweep that was killed goes on as if it had not been.
    ///
    /// # Errors
    /// Whatever keeps it from drawing.
    fn next(&self, trials: &[Trial], left: usize) -> anyhow::Result<Vec<Vec<Value>>>;
}

/// A draw that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The values, in the order of the space.
    pub values: Vec<Value>,
    /// The outcome of the draw.
    pub outcome: Outcome,
}

/// The outcome of a draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// The mean score of its runs on the validation images, higher better.
    Scored(f64),
    /// One of its runs has no score.
    Failed,
    /// An earlier draw has the same values, and was not run again.
    Repeated,
}

impl Outcome {
    /// Returns the score, where there is one.
    #[must_use]
    pub fn score(self) -> Option<f64> {
        match self {
            Self::Scored(score) => Some(score),
            Self::Failed | Self::Repeated => None,
        }
    }
}
