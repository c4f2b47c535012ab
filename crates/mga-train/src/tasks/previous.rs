//! What a stage leaves for the one after it.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::Context;
use candle_core::Tensor;
use serde_json::Value;

use super::extracted::read_extracted;
use crate::identity::Identity;
use crate::run_folder::RunFolder;
use crate::stage_place::StagePlace;

/// The results of a stage for the next one.
#[derive(Debug, Clone)]
pub struct Previous {
    /// The stage's name.
    pub stage: String,
    /// Its folder.
    pub folder: RunFolder,
    /// Its identity.
    pub id: String,
}

impl Previous {
    /// Returns the checkpoint of the selected epoch, else the last.
    ///
    /// # Errors
    /// There is none.
    pub fn checkpoint(&self) -> anyhow::Result<PathBuf> {
        let folder = self.folder.path().display();
        self.folder.reported().with_context(|| format!("{folder}: stage `{}` left no checkpoint", self.stage))
    }

    /// Returns the tensors that it extracted, by name; none of a stage that does not extract.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn tensors(&self) -> anyhow::Result<HashMap<String, Tensor>> {
        Ok(read_extracted(&self.folder)?.map(|(tensors, _)| tensors).unwrap_or_default())
    }

    /// The stage before the one in `folder`, with its identity; without the stage where it lies nowhere that is known.
    /// `None`: there was none.
    pub(crate) fn of_run(folder: &RunFolder) -> anyhow::Result<Option<(String, Option<Self>)>> {
        let Some(id) = Identity::of_run(folder.path())?.and_then(|identity| identity.previous) else { return Ok(None) };
        let listed = StagePlace::read(folder)?.into_iter().map(|place| folder.path().join(place.folder));
        // The stages of a run lie side by side, and so do those that runs share.
        let around = std::path::absolute(folder.path())?;
        let around = around.parent().and_then(|around| std::fs::read_dir(around).ok());
        let around = around.into_iter().flatten().flatten().map(|entry| entry.path());
        for place in listed.chain(around) {
            let Ok(Some(found)) = Identity::of_run(&place) else { continue };
            // A stage that was evaluated again on repaired test images left what it had.
            if found.id == id || found.replaced.iter().any(|replaced| replaced.id == id) {
                let folder = RunFolder::at(place);
                return Ok(Some((id.clone(), Some(Self { stage: name(&folder)?, folder, id }))));
            }
        }
        Ok(Some((id, None)))
    }
}

/// The name of the finished stage in `folder`.
fn name(folder: &RunFolder) -> anyhow::Result<String> {
    let (file, unreadable) = (folder.summary(), || format!("{}: cannot be read", folder.summary().display()));
    let summary: Value =
        serde_json::from_slice(&std::fs::read(file).with_context(unreadable)?).with_context(unreadable)?;
    Ok(summary.get("stage").and_then(Value::as_str).unwrap_or_default().to_owned())
}
