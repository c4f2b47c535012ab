//! A setting of a component that would never get a value, as a key that all components of its table share has its name.

use mga_registry::{Entry, Kind};

use super::key_path::KeyPath;
use super::problem::Problem;

/// Returns what is wrong with the registration of components of one kind: a setting of its own that has the name of one of
/// the `shared` keys, which the table has for every component.
#[must_use]
pub fn hidden_settings<K: Kind>(entries: &[Entry<K>], shared: &[&str]) -> Vec<Problem> {
    let own = |entry: &Entry<K>| -> Vec<String> {
        let properties = entry.schema.as_ref().and_then(|schema| schema.get("properties")?.as_object());
        properties.into_iter().flatten().map(|(key, _)| key.clone()).collect()
    };
    let hidden = |entry: &Entry<K>| -> Vec<Problem> {
        let keys = own(entry).into_iter().filter(|key| shared.contains(&key.as_str()));
        let problem = |key: String| {
            let message = format!(
                "`{}` is registered with a setting `{key}`, which is a key of the table for all {}, so that it would never \
                 get a value; the program that registers it has to give the setting another name",
                entry.name,
                K::TITLE
            );
            Problem::error(None, KeyPath::dotted(K::KEY), message)
        };
        keys.map(problem).collect()
    };
    entries.iter().flat_map(hidden).collect()
}
