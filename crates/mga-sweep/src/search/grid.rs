//! `search = "grid"`: all combinations of axes and variants, and no draws.

use std::sync::Arc;

use mga_registry::{Entry, OwnSettings, SettingFault};
use serde_json::Value;

use super::strategy::{Drawing, RegisteredSearch, SearchDimension, SearchStrategy, Searches, Trial};
use crate::file::Budget;

struct Grid;

pub(super) fn entry() -> Entry<Searches> {
    Entry::<Searches>::new("grid", "All combinations of axes and variants.", Arc::new(Grid))
}

impl RegisteredSearch for Grid {
    fn drawing(&self) -> Drawing {
        Drawing::Never
    }

    fn build(
        &self,
        _: &OwnSettings<'_>,
        _: &[SearchDimension],
        _: &Budget,
    ) -> Result<Box<dyn SearchStrategy>, SettingFault> {
        Ok(Box::new(Self))
    }
}

impl SearchStrategy for Grid {
    fn next(&self, _: &[Trial], _: usize) -> anyhow::Result<Vec<Vec<Value>>> {
        Ok(Vec::new())
    }
}
