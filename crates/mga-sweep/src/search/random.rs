//! `search = "random"`: each draw depends on the seed and its number alone.

use std::sync::Arc;

use mga_registry::{Entry, OwnSettings, SettingFault};
use serde_json::Value;

use super::strategy::{Drawing, RegisteredSearch, SearchDimension, SearchStrategy, Searches, Trial};
use crate::file::Budget;

struct Random;

pub(super) fn entry() -> Entry<Searches> {
    let about = "Draws from `[ranges]`, each with all combinations of axes and variants.";
    Entry::<Searches>::new("random", about, Arc::new(Random)).with_words(|_| "random draws".to_owned())
}

impl RegisteredSearch for Random {
    fn drawing(&self) -> Drawing {
        Drawing::AtOnce
    }

    fn build(
        &self,
        _: &OwnSettings<'_>,
        space: &[SearchDimension],
        budget: &Budget,
    ) -> Result<Box<dyn SearchStrategy>, SettingFault> {
        Ok(Box::new(Draws { space: space.to_vec(), seed: budget.seed }))
    }
}

struct Draws {
    space: Vec<SearchDimension>,
    seed: u64,
}

impl SearchStrategy for Draws {
    fn next(&self, trials: &[Trial], left: usize) -> anyhow::Result<Vec<Vec<Value>>> {
        Ok((trials.len()..trials.len() + left).map(|number| draw(&self.space, self.seed, number)).collect())
    }
}

/// The values of draw `number`, in the order of the space.
pub(super) fn draw(space: &[SearchDimension], seed: u64, number: usize) -> Vec<Value> {
    space.iter().map(|SearchDimension { key, range }| range.draw(key, seed, number)).collect()
}
