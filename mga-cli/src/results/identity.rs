//! `identity.json`: what a run's numbers depend on.

use serde::{Deserialize, Serialize};

/// What a run's numbers depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Hash of the other parts.
    pub id: String,
    /// Hash of the resolved experiment without name, description, paths, device, threads, workers.
    pub experiment: String,
    /// Hash of images, labels, splits and masks.
    pub data: String,
    /// The part of `data` that is the images and labels, whichever split they are in.
    #[serde(default)]
    pub images: Option<String>,
    /// The part of `data` that is tested on: predictions are paired where it agrees.
    #[serde(default)]
    pub test: Option<String>,
    /// The part of `data` that is the masks, or `none`.
    #[serde(default)]
    pub masks: Option<String>,
    /// Hash of the weights' content, or `none`.
    pub weights: String,
    /// `mga_core::NUMERICS` of the program that made the run.
    pub numerics: u32,
    /// Number of classes.
    pub classes: u64,
}
