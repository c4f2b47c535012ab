//! The part of a report about a search.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::measures::{Column, Score};
use crate::results::SearchSpace;

/// A search: what it drew from, what came of each draw, which is the best, and which settings mattered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchReport {
    /// The space of the search and its budget.
    pub space: SearchSpace,
    /// The metric that checkpoints are selected by on validation images, and that draws are compared by.
    pub column: Column,
    /// The draws, in their order.
    pub draws: Vec<Draw>,
    /// The draw of the best mean among those whose runs all have a score, an index into [`Self::draws`]; of equals the first.
    pub chosen: Option<usize>,
    /// The importance of each setting, the most important first.
    pub importance: Vec<Importance>,
}

/// A draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draw {
    /// The number of the draw, from 0.
    pub number: usize,
    /// The drawn settings, by dotted key.
    pub values: Map<String, Value>,
    /// The arms of the draw, as indices into the report's arms: one, or one for each combination of variants and axes.
    pub arms: Vec<usize>,
    /// The runs of the draw, finished or not.
    pub runs: usize,
    /// The scores on validation images.
    pub validation: Score,
    /// The best mean of this draw and those before it.
    pub best_so_far: Option<f64>,
}

impl Draw {
    /// Returns the mean score if all runs of the draw have one, so that draws can be compared.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.validation.mean.filter(|_| self.validation.n == self.runs)
    }
}

impl SearchReport {
    /// Returns the best draw.
    #[must_use]
    pub fn best(&self) -> Option<&Draw> {
        self.draws.get(self.chosen?)
    }
}

/// The dependence of the score on one setting, whatever the values of the others.
///
/// The draws are put into groups by the setting alone: a choice by its value, a number by stretches that hold equally many
/// draws (one for every five draws, two to four). [`Self::share`] is the part of the variance of the scores' ranks between the groups, less what
/// groups without meaning would have. It does not see what two settings do together, and of a TPE search it tells of where
/// that looked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// The setting, by dotted key.
    pub key: String,
    /// The share of the variance from 0 (none) to 1; `None` if it is unknown, because there are too few draws or all
    /// are alike.
    pub share: Option<f64>,
    /// The probability of a share at least as high by chance.
    pub p: Option<f64>,
    /// Spearman's rank correlation of value and metric; `None` of choices.
    pub rank_correlation: Option<f64>,
    /// Draws it rests on: those whose runs all have a score.
    pub draws: usize,
    /// Groups the draws were put into.
    pub groups: usize,
}
