//! A component's own settings, as the components of this crate read them.

use mga_core::{Error, Result};
use mga_registry::OwnSettings;
use serde::de::DeserializeOwned;

/// Reads the settings of a component.
///
/// # Errors
/// A key that `T` does not have, a value of another type, a missing key; told at the key.
pub fn read_settings<T: DeserializeOwned>(settings: OwnSettings<'_>) -> Result<T> {
    settings.read().map_err(|fault| Error::setting(fault.key, fault.what))
}

/// Refuses settings of a component that has none.
///
/// # Errors
/// There are some; told at the first.
pub fn no_settings(settings: OwnSettings<'_>, component: &str) -> Result<()> {
    match settings.values().keys().next() {
        Some(key) => Err(Error::setting(settings.key(key), format!("`{component}` has no settings of its own"))),
        None => Ok(()),
    }
}
