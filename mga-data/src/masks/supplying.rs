//! Masks from elsewhere than the data set, offered beside its own.

use std::sync::Arc;

use mga_registry::Registry;

use super::settings::{FOLDER, MaskSettings};
use super::source_kind::{MadeOf, MaskSources};
use super::supplied::Supplied;
use crate::dataset::Dataset;
use crate::error::Result;

/// Returns the data set with the masks that the settings take from elsewhere: those of a folder that they name, and those of
/// the source, or of the one that a control is made from, where it is registered and the data set has no such masks.
///
/// # Errors
/// What a source refuses.
pub fn with_supplied_masks(
    dataset: &Arc<dyn Dataset>,
    settings: &MaskSettings,
    registry: &Registry,
) -> Result<Arc<dyn Dataset>> {
    let mut dataset = Arc::clone(dataset);
    let source = settings.source_name();
    let made_of = source.and_then(|name| registry.get::<MaskSources>(name)).map(|entry| entry.item.made_of());
    let of = settings.of.as_deref().filter(|_| made_of == Some(MadeOf::Masks));
    // The folder that is named stands in place of the data set's own.
    let folder = settings.folder.is_some().then_some(FOLDER);
    for (name, replaces) in
        folder.map(|name| (name, true)).into_iter().chain(source.into_iter().chain(of).map(|n| (n, false)))
    {
        if !replaces && dataset.mask_sources().contains(&name) {
            continue;
        }
        let Some(entry) = registry.get::<MaskSources>(name) else { continue };
        if let Some(supply) = entry.item.supply(settings, dataset.as_ref())? {
            dataset = Arc::new(Supplied::new(dataset, supply));
        }
    }
    Ok(dataset)
}
