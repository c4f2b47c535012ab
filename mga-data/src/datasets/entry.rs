//! Data sets as a kind of component: what the program knows of one before it is open, and what it is opened with.

use std::path::PathBuf;
use std::sync::Arc;

use mga_registry::Kind;
use serde_json::Value;

use crate::background::{Backdrop, Background};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::masks::MaskReading;
use crate::recognition::{Place, Recognised};

/// The settings that every data set is opened with, besides its own.
#[derive(Debug, Clone, Default)]
pub struct OpenContext {
    /// `data.root`, where given.
    pub root: Option<PathBuf>,
    /// The source of data sets of the hub; `None` uses the settings of the environment.
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

/// The kind of component that `data.dataset` names.
///
/// The schema of a data set's settings, the keys that stand beside `dataset` in `[data]`, is that of its entry. Settings that
/// say where files lie carry the extension [`PATH_MARK`].
#[derive(Debug)]
pub struct Datasets;

impl Kind for Datasets {
    type Item = dyn RegisteredDataset;
    const TITLE: &'static str = "data sets";
    const KEY: &'static str = "data.dataset";
}

/// The extension of a setting's schema that says where files lie: `#[schemars(extend("x-path" = "place"))]`.
///
/// Such a setting is no part of a run's identity: what lies there is. With the value `"file"` it is a file that has to be
/// there before anything is opened, below `data.root` or where the path says by itself.
pub const PATH_MARK: &str = "x-path";

/// A data set that is registered by its name: what is known of it before it is open, and how it is opened.
pub trait RegisteredDataset: Send + Sync {
    /// Opens it with its own settings, a JSON object that fits the schema of its entry.
    ///
    /// # Errors
    /// Settings that do not fit each other or the files; files that cannot be read.
    fn open(&self, settings: &Value, context: &OpenContext) -> Result<Arc<dyn Dataset>>;

    /// Says what it does with `data.root`.
    fn root(&self) -> Root {
        Root::Unused
    }

    /// Returns the masks that it may bring. Which of them it does bring is known once it is open.
    fn masks(&self) -> &[OfferedMasks] {
        &[]
    }

    /// Whether it may bring validation images of its own. Which it does bring is known once it is open.
    fn may_have_validation(&self) -> bool {
        true
    }

    /// Says whether a folder that nobody has described is one of this data set, and how it would be read; `None`: it is not.
    /// Nothing there is changed.
    ///
    /// # Errors
    /// Files that cannot be read.
    fn recognise(&self, _place: &Place<'_>) -> Result<Option<Recognised>> {
        Ok(None)
    }

    /// Returns every value of its setting `fold` that its files offer, where these settings choose one: what else could be
    /// tested on. Empty: the data have no folds, or the settings use none.
    ///
    /// # Errors
    /// Files that cannot be read.
    fn folds(&self, _settings: &Value, _context: &OpenContext) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Whether all its images have one size, so that one of them tells it.
    fn has_one_size(&self) -> bool {
        false
    }
}

/// The use that a data set makes of `data.root`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// Nothing: a root that is set is a mistake.
    Unused,
    /// It reads files there where a root is given.
    Optional,
    /// It reads files there.
    Required,
}

/// Masks that a data set may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferedMasks {
    /// The name in `data.masks.source`.
    pub name: &'static str,
    /// A description in one line, without the data set's name.
    pub about: &'static str,
    /// Whether they are read from mask files, as `[data.masks]` says.
    pub in_files: bool,
}

impl OfferedMasks {
    /// The masks that every data set of files may bring, the default first.
    pub const OF_FILES: [Self; 2] = [
        Self { name: "folder", about: "mask files", in_files: true },
        Self { name: "alpha", about: "the images' own alpha channel", in_files: false },
    ];
}

/// Reads a data set's settings struct out of the JSON object it is opened with.
pub fn settings<T: serde::de::DeserializeOwned>(name: &str, value: &Value) -> Result<T> {
    serde_json::from_value(value.clone()).map_err(|e| Error::settings(format!("settings of data set `{name}`: {e}")))
}
