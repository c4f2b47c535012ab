//! What a report says of a search.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::measures::{Column, Score};
use crate::results::SearchSpace;

/// A search: what it drew from, what came of each draw, which is the best, and which settings mattered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchReport {
    /// What was drawn from, and how often.
    pub space: SearchSpace,
    /// The metric that checkpoints are selected by on validation images, and that draws are compared by.
    pub column: Column,
    /// The draws, in their order.
    pub draws: Vec<Draw>,
    /// The draw of the best mean among those whose runs all have a score, an index into [`Self::draws`]; of equals the first.
    pub chosen: Option<usize>,
    /// How much each setting mattered, the most important first.
    pub importance: Vec<Importance>,
}

/// A draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draw {
    /// Its number, from 0.
    pub number: usize,
    /// What was drawn, by dotted key.
    pub values: Map<String, Value>,
    /// Its arms, as indices into the report's: one, or one a combination of variants and axes.
    pub arms: Vec<usize>,
    /// Its runs, finished or not.
    pub runs: usize,
    /// What they scored on validation images.
    pub validation: Score,
    /// The best mean of this draw and those before it.
    pub best_so_far: Option<f64>,
}

impl Draw {
    /// Its mean, where all of its runs have a score: what may be compared.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.validation.mean.filter(|_| self.validation.n == self.runs)
    }
}

impl SearchReport {
    /// The best draw.
    #[must_use]
    pub fn best(&self) -> Option<&Draw> {
        self.draws.get(self.chosen?)
    }
}

/// How much the score depends on one setting, the others being what they happen to be.
///
/// The draws are put into groups by the setting alone: a choice by its value, a number by stretches that hold equally many
/// draws (one for every five draws, two to four). [`Self::share`] is the part of the variance of the scores' ranks between the groups, less what
/// groups without meaning would have. It does not see what two settings do together, and of a TPE search it tells of where
/// that looked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// The setting, by dotted key.
    pub key: String,
    /// From 0 (nothing) to 1; `None` where it cannot be told: too few draws, or all alike.
    pub share: Option<f64>,
    /// How often as much comes about by chance.
    pub p: Option<f64>,
    /// Spearman's rank correlation of value and metric; `None` of choices.
    pub rank_correlation: Option<f64>,
    /// Draws it rests on: those whose runs all have a score.
    pub draws: usize,
    /// Groups the draws were put into.
    pub groups: usize,
}
