//! What a paper calls the components of an experiment: what their entries say.

use std::collections::BTreeMap;

use mga_core::optim::Optimisers;
use mga_data::masks::MaskSources;
use mga_experiment::Components;
use mga_registry::{Entry, Kind, Words};
use mga_sweep::search::searches;
use serde_json::{Map, Value};

/// The words of optimisers, searches and sources of masks, by name. Without any, components are called by their names.
#[derive(Debug, Clone, Default)]
pub struct ComponentWords {
    optimisers: BTreeMap<String, Words>,
    searches: BTreeMap<String, Words>,
    /// What the sources of masks say of themselves.
    masks: BTreeMap<String, String>,
}

impl ComponentWords {
    /// Takes the words that the entries of these components give.
    #[must_use]
    pub fn of(components: &Components) -> Self {
        let optimisers = words(components.kinds.all::<Optimisers>());
        let about = |entry: &Entry<MaskSources>| (entry.name.clone(), entry.about.clone());
        let masks = components.kinds.all::<MaskSources>().iter().map(about).collect();
        Self { optimisers, searches: words(&searches(components)), masks }
    }

    /// Returns what a paper calls the optimiser; `shared` are those of its settings that all runs share.
    pub(super) fn optimiser(&self, name: &str, shared: &Map<String, Value>) -> String {
        self.optimisers.get(name).map_or_else(|| name.to_owned(), |words| words(shared))
    }

    /// Returns what a source of masks says of itself.
    pub(super) fn masks(&self, name: &str) -> Option<&str> {
        self.masks.get(name).map(String::as_str)
    }

    /// Returns what a paper calls the search with this `[budget]`.
    pub(super) fn search(&self, name: &str, budget: &Map<String, Value>) -> String {
        self.searches.get(name).map_or_else(|| format!("the search `{name}`"), |words| words(budget))
    }
}

fn words<K: Kind>(entries: &[Entry<K>]) -> BTreeMap<String, Words> {
    entries.iter().filter_map(|entry| Some((entry.name.clone(), entry.words?))).collect()
}
