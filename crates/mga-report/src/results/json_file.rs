//! JSON files of a run's folder that may be missing, or torn.

use std::path::Path;

use serde::de::DeserializeOwned;

/// Reads a file: `None` where it is not there; what is wrong with it goes to `notes`.
pub(super) fn read<T: DeserializeOwned>(folder: &Path, name: &str, notes: &mut Vec<String>) -> Option<T> {
    let text = match std::fs::read_to_string(folder.join(name)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            notes.push(format!("{name} cannot be read: {error}"));
            return None;
        }
    };
    serde_json::from_str(&text).map_err(|error| notes.push(format!("{name} cannot be understood: {error}"))).ok()
}

/// Reads a file of TOML as JSON values, as [`read`].
pub(super) fn read_toml(folder: &Path, name: &str, notes: &mut Vec<String>) -> Option<serde_json::Value> {
    let text = match std::fs::read_to_string(folder.join(name)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            notes.push(format!("{name} cannot be read: {error}"));
            return None;
        }
    };
    toml::from_str(&text).map_err(|error| notes.push(format!("{name} cannot be understood: {}", error.message()))).ok()
}
