//! The registered searches.

use mga_experiment::Components;
use mga_registry::{Entry, Registry};

use super::strategy::{Drawing, Searches};
use super::{grid, random, tpe};

/// Returns the built-in searches, then those that were registered with [`Components::with`].
#[must_use]
pub fn searches(components: &Components) -> Vec<Entry<Searches>> {
    let builtin = [grid::entry(), random::entry(), tpe::entry()].into_iter().fold(Registry::default(), Registry::with);
    let registered = components.kinds.all::<Searches>().iter().cloned();
    registered.fold(builtin, |all, entry| all.with(entry)).all().to_vec()
}

/// The searches that draw, as a sweep file names one of them: `"random" or "tpe"`.
pub(crate) fn drawing(searches: &[Entry<Searches>]) -> String {
    listed(searches.iter().filter(|entry| entry.item.drawing() != Drawing::Never))
}

/// The searches that go by this key of `[budget]`.
pub(crate) fn going_by(searches: &[Entry<Searches>], key: &str) -> String {
    listed(searches.iter().filter(|entry| entry.item.budget_keys().contains(&key)))
}

fn listed<'a>(entries: impl Iterator<Item = &'a Entry<Searches>>) -> String {
    let names: Vec<String> = entries.map(|entry| format!("\"{}\"", entry.name)).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
