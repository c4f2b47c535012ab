//! A data set by name, and what it is opened with.

use std::path::PathBuf;
use std::sync::Arc;

use crate::background::{Backdrop, Background};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::masks::MaskReading;

/// What every data set is opened with, beside its own settings.
#[derive(Debug, Clone, Default)]
pub struct OpenContext {
    /// `data.root`, where given.
    pub root: Option<PathBuf>,
    /// Where data sets of the hub come from; `None`: as the environment says.
    pub hub: Option<mga_hub::Hub>,
    /// `data.on_error`: leave out what cannot be used and say so in [`Dataset::warnings`], instead of stopping.
    pub skip_errors: bool,
    /// `[data.masks]`: how the numbers in mask files are read.
    pub masks: MaskReading,
    /// `data.white_point`: the number that is white in images of 16 bits.
    pub white_point: Option<u16>,
}

impl OpenContext {
    /// What the pixels of this data set look like, with the background that its own settings name.
    pub(crate) fn backdrop(&self, background: &Background, seed: u64) -> Backdrop {
        Backdrop { background: background.clone(), seed, white_point: self.white_point }
    }
}

/// A data set by name.
#[derive(Clone, Copy)]
pub struct DatasetEntry {
    /// The name in `data.dataset`.
    pub name: &'static str,
    /// One line for `mga list`.
    pub about: &'static str,
    /// JSON schema of its own settings (the keys that stand beside `dataset` in `[data]`).
    pub schema: fn() -> schemars::Schema,
    /// Whether it reads `data.root`.
    pub needs_root: bool,
    /// Opens it with its own settings, a JSON object already checked against `schema`.
    pub open: fn(&serde_json::Value, &OpenContext) -> Result<Arc<dyn Dataset>>,
}

/// Reads a data set's settings struct out of the JSON object it is opened with.
pub fn settings<T: serde::de::DeserializeOwned>(name: &str, value: &serde_json::Value) -> Result<T> {
    serde_json::from_value(value.clone()).map_err(|e| Error::settings(format!("settings of data set `{name}`: {e}")))
}
