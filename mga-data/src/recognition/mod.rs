//! What data sets say of a folder that nobody has described: whether they recognise it, and with which settings.

pub(crate) mod mask_files;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub use mask_files::mask_files;

/// A folder to recognise.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The folder of the images.
    pub folder: &'a Path,
    /// A table that describes them.
    pub table: Option<&'a Path>,
}

/// What a data set would read in a folder, and how it would be set up.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognised {
    /// The images that it would read with their classes. Of several data sets the one that reads most is taken.
    pub images: usize,
    /// Whether somebody described the images, in a table say: that comes before what folders suggest.
    pub described: bool,
    /// Its settings, in the order in which they are told.
    pub decisions: Vec<Decision>,
    /// The masks that it would bring, as `data.masks.source`.
    pub masks: Option<Decision>,
}

/// A setting, and why it has that value.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The key in `[data]`, dotted.
    pub key: &'static str,
    /// The value.
    pub value: Value,
    /// The reason, as it follows a colon.
    pub why: String,
}

impl Decision {
    /// Returns the setting with its reason.
    pub fn new(key: &'static str, value: impl Into<Value>, why: impl Into<String>) -> Self {
        Self { key, value: value.into(), why: why.into() }
    }
}

/// Images whose masks are to be recognised.
#[derive(Debug, Clone, Copy)]
pub struct MaskPlace<'a> {
    /// The folder that was given.
    pub folder: &'a Path,
    /// The images in it.
    pub images: &'a [PathBuf],
}

/// Masks that a source would read.
#[derive(Debug, Clone, PartialEq)]
pub struct RecognisedMasks {
    /// The images that have one. Of several sources the one with most is taken.
    pub images: usize,
    /// The mask file of every image, where masks are files: a table of the images can name them.
    pub files: Option<Vec<Option<PathBuf>>>,
    /// The source's settings, whose keys begin with `masks.`, in the order in which they are told.
    pub settings: Vec<Decision>,
    /// The reason for taking the source, as it follows a colon.
    pub why: String,
}
