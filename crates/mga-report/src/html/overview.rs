//! What a run says of the picture of its test images: which images are on it, and what stands where.

use std::collections::BTreeMap;
use std::path::Path;

use mga_train::pictures::Place;
use serde::Deserialize;

/// What `overview.json` says of `overview.png`; runs of earlier versions have none.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct Overview {
    pub(super) columns: Vec<String>,
    pub(super) images_per_row: usize,
    pub(super) images: Vec<Shown>,
}

impl Default for Overview {
    fn default() -> Self {
        Self { columns: vec![], images_per_row: 2, images: vec![] }
    }
}

/// An image of the overview.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shown {
    pub(super) path: String,
    pub(super) label: Option<String>,
    pub(super) predicted: Option<String>,
    pub(super) confidence: Option<f64>,
    /// The place of each column of the image in the picture; runs of earlier versions do not say.
    pub(super) places: BTreeMap<String, Place>,
}

/// What is said of the overview, beside it.
pub(super) fn overview(picture: &Path, notes: &mut Vec<String>) -> Overview {
    let path = picture.with_extension("json");
    let Ok(text) = std::fs::read_to_string(&path) else { return Overview::default() };
    serde_json::from_str(&text).unwrap_or_else(|error| {
        notes.push(format!("{} cannot be understood: {error}", path.display()));
        Overview::default()
    })
}
