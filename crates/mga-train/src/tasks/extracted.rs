//! What a stage extracts, and the file that it is kept in.

use std::collections::HashMap;

use anyhow::Context;
use candle_core::{Device, Tensor};
use mga_models::weights;

use crate::run_folder::RunFolder;

/// Metadata key of the images that were left out.
const SKIPPED: &str = "mga.skipped";

/// What a stage extracts.
#[derive(Debug, Default)]
pub struct Extracted {
    /// The tensors, by name.
    pub tensors: Vec<(String, Tensor)>,
    /// The images that were left out, and why, as [`Loader::skipped`](mga_data::Loader::skipped) lists them. They are
    /// counted in the stage's summary.
    pub skipped: Vec<String>,
}

impl Extracted {
    /// Writes it into a stage's folder, whole or not at all.
    pub(crate) fn write(&self, folder: &RunFolder) -> anyhow::Result<()> {
        let mut metadata = HashMap::new();
        if !self.skipped.is_empty() {
            metadata.insert(SKIPPED.to_owned(), serde_json::to_string(&self.skipped)?);
        }
        Ok(weights::save_file(&self.tensors, metadata, &folder.features())?)
    }
}

/// Tensors by name, and the images that were left out.
pub(crate) type Kept = (HashMap<String, Tensor>, Vec<String>);

/// What was extracted into a folder; `None`: nothing was.
pub(crate) fn read_extracted(folder: &RunFolder) -> anyhow::Result<Option<Kept>> {
    let file = folder.features();
    if !file.is_file() {
        return Ok(None);
    }
    let unreadable = || format!("{}: cannot be read; remove it, and it is made again", file.display());
    let bytes = std::fs::read(&file).with_context(unreadable)?;
    weights::check_content(&bytes, &file)?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).with_context(unreadable)?;
    let header = weights::Header::read(&file)?;
    let skipped = header.metadata.get(SKIPPED).map(|line| serde_json::from_str(line)).transpose();
    Ok(Some((tensors, skipped.with_context(unreadable)?.unwrap_or_default())))
}
