//! The origin of masks: written beside them, and read again by those who use them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use mga_data::masks::FOLDER;
use mga_experiment::Experiment;
use serde::{Deserialize, Serialize};

use super::weights;

/// The record of a folder of masks, relative to it.
pub const RECORD: &str = "about/record.json";

/// The origin of masks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The segmenter's name.
    pub segmenter: String,
    /// Changes with everything the masks depend on beside the images.
    pub identity: String,
    /// The weight file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// Published weights: their name and commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_name: Option<String>,
    /// The SHA-256 of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// The settings, resolved.
    pub settings: serde_json::Value,
    /// The data that the weights were trained on, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<TrainedOn>,
}

/// The data that a segmenter was trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainedOn {
    /// The run.
    pub run: PathBuf,
    /// Images it was trained and selected on: hash of the content to name.
    pub images: BTreeMap<String, String>,
}

impl Provenance {
    /// Reads the record of a folder of masks; `None`: it has none.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn of_folder(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(RECORD);
        if !path.is_file() {
            return Ok(None);
        }
        let unreadable = || format!("{}: cannot be read as the record of a folder of masks", path.display());
        let text = std::fs::read_to_string(&path).with_context(unreadable)?;
        serde_json::from_str(&text).map(Some).with_context(unreadable)
    }
}

/// Returns the images that the segmenter behind an experiment's masks was trained on, where that is known.
///
/// # Errors
/// A record that cannot be read.
pub fn training_images(experiment: &Experiment) -> anyhow::Result<Option<TrainedOn>> {
    let (data, masks) = (&experiment.data, &experiment.data.masks);
    // The data set's own folder of masks may be one that `mga masks` wrote.
    let own = data.settings.get("mask_root").and_then(serde_json::Value::as_str);
    let own = own.map(|folder| data.root.clone().unwrap_or_default().join(folder));
    if masks.settings.source_name().is_none_or(|name| name == FOLDER)
        && let Some(folder) = masks.settings.folder.clone().or(own)
    {
        return Ok(Provenance::of_folder(&folder)?.and_then(|record| record.trained_on));
    }
    let named = masks.segmenter.as_ref().and_then(|segmenter| segmenter.weights.as_deref());
    let run = named.map(|named| PathBuf::from(named.strip_prefix("file:").unwrap_or(named)));
    let Some(run) = run.filter(|run| run.is_dir()) else { return Ok(None) };
    Ok(Some(TrainedOn { images: weights::written_images(&run)?, run }))
}
