//! Every component of this crate that an experiment can name. An explicit list: adding one is a file and a line here.

use mga_registry::Registry;

pub use crate::datasets::entry::{Datasets, OfferedMasks, OpenContext, PATH_MARK, RegisteredDataset, Root, settings};
use crate::datasets::{image_folder, leaves, mganet, omniglot, split_folders, split_tables, table};
use crate::{masks, samplers, transforms};

/// Adds the components of this crate to `registry`.
pub fn register(registry: &mut Registry) {
    transforms::builtin::register(registry);
    masks::sources::register(registry);
    samplers::register(registry);
    registry.add(image_folder::entry());
    registry.add(mganet::entry());
    registry.add(table::entry());
    registry.add(leaves::entry());
    split_tables::entries().into_iter().for_each(|entry| registry.add(entry));
    split_folders::entries().into_iter().for_each(|entry| registry.add(entry));
    registry.add(omniglot::entry());
    #[cfg(feature = "hub")]
    registry.add(crate::datasets::hub::entry());
    #[cfg(feature = "candle-datasets")]
    crate::datasets::candle::entries().into_iter().for_each(|entry| registry.add(entry));
}

/// Returns the components of this crate.
#[must_use]
pub fn builtin() -> Registry {
    let mut registry = Registry::default();
    register(&mut registry);
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_marks_speak_of_settings_that_there_are() {
        let registry = builtin();
        for entry in registry.all::<Datasets>() {
            let schema = entry.schema.as_ref().unwrap();
            let has = |key: &str| schema.pointer(&format!("/properties/{key}")).is_some();
            for condition in &entry.conditions {
                assert!(has(condition.key) && has(condition.by), "{}: {condition:?}", entry.name);
            }
        }
        let paths =
            |name: &str| registry.get::<Datasets>(name).map(|entry| entry.marked(PATH_MARK)).unwrap_or_default();
        assert_eq!(
            paths("mganet").iter().map(|(key, _)| *key).collect::<Vec<_>>(),
            ["mask_folder", "mask_name", "labels"]
        );
        assert_eq!(paths("table").iter().filter(|(_, mark)| *mark == "file").count(), 1);
        assert!(paths("leaves").is_empty());
    }
}
