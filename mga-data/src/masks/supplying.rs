//! Masks from elsewhere than the data set, offered beside its own.

use std::sync::Arc;

use mga_registry::Registry;

use super::settings::{FOLDER, MaskSettings, OF};
use super::source_kind::{MadeOf, MaskSources};
use super::supplied::Supplied;
use crate::dataset::Dataset;
use crate::error::{Error, Result};

/// Returns the data set with the masks that the settings take from elsewhere: those of a folder that they name, and those of
/// the source, or of the one that a control is made from, where it is registered and the data set has no such masks.
///
/// # Errors
/// What a source refuses; settings of masks that the data set has itself.
pub fn with_supplied_masks(
    dataset: &Arc<dyn Dataset>,
    settings: &MaskSettings,
    registry: &Registry,
) -> Result<Arc<dyn Dataset>> {
    let mut dataset = Arc::clone(dataset);
    let source = settings.source_name();
    let made_of = source.and_then(|name| registry.get::<MaskSources>(name)).map(|entry| entry.item.made_of());
    let of = settings.of.as_ref().filter(|_| made_of == Some(MadeOf::Masks));
    let of_settings = of.map(|of| MaskSettings { own: of.settings.clone(), ..settings.clone() });
    // The folder that is named stands in place of the data set's own.
    let folder = settings.folder.is_some().then_some((FOLDER, true, settings));
    let source = source.map(|name| (name, false, settings));
    let of = of.map(|of| of.name.as_str()).zip(of_settings.as_ref());
    let all = [folder, source, of.map(|(name, own)| (name, false, own))];
    for (name, replaces, own) in all.into_iter().flatten() {
        let is_of = of.is_some_and(|(_, of)| std::ptr::eq(of, own));
        let supplied = match registry.get::<MaskSources>(name) {
            Some(entry) if replaces || !dataset.mask_sources().contains(&name) => {
                let supply = entry.item.supply(own, dataset.as_ref());
                supply.map_err(|error| if is_of { at_of(error, own) } else { error })?
            }
            _ => None,
        };
        match supplied {
            Some(supply) => dataset = Arc::new(Supplied::new(dataset, supply)),
            None => {
                if let Some(key) = own.own.keys().next().filter(|_| is_of) {
                    let what = format!("the masks `{name}` are the data set's own, which have no such setting");
                    return Err(Error::setting(format!("{OF}.{key}"), what));
                }
            }
        }
    }
    Ok(dataset)
}

/// The error at the key of the source's own setting below `of`, where it is about one.
fn at_of(error: Error, own: &MaskSettings) -> Error {
    let setting = error.invalid_setting().and_then(|fault| {
        let own_key = fault.key.strip_prefix("data.masks.").unwrap_or(&fault.key);
        let first = own_key.split('.').next().unwrap_or(own_key);
        own.own.contains_key(first).then(|| (format!("{OF}.{own_key}"), fault.what.clone()))
    });
    setting.map_or(error, |(key, what)| Error::setting(key, what))
}
