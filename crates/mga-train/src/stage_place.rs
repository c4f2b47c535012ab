//! Where the stages of a run lie, and what it spent on them: `stages.json` in its folder.

use std::path::{Component, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::run_folder::RunFolder;

/// A stage of a run before the last, in `stages.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StagePlace {
    /// The stage's name.
    pub name: String,
    /// Its identity.
    pub id: String,
    /// Its folder, from the run's.
    pub folder: PathBuf,
    /// The time that this run spent on it.
    #[serde(default, skip_serializing_if = "Spent::is_nothing")]
    pub spent: Spent,
}

/// The seconds that a run spent on a stage. An attempt that was killed in the middle of it could not say.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// Seconds in which it trained the stage itself, its evaluation included.
    pub trained: f64,
    /// Seconds in which it waited for another run that trained it.
    pub waited: f64,
}

impl Spent {
    /// Returns whether it is no time at all.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl StagePlace {
    /// Reads the stages of the run in `folder` before the last, in their order; a run of one stage has none.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(folder: &RunFolder) -> anyhow::Result<Vec<Self>> {
        let file = folder.stages();
        if !file.is_file() {
            return Ok(Vec::new());
        }
        let unreadable = || format!("{}: cannot be read as the stages of a run", file.display());
        serde_json::from_slice(&std::fs::read(&file).with_context(unreadable)?).with_context(unreadable)
    }

    /// Returns whether the stage lies outside the run's folder, where other runs take it too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.folder.is_absolute() || self.folder.components().next() == Some(Component::ParentDir)
    }
}
