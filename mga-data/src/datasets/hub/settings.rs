//! The settings of a data set of the hub.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::background::Background;

/// Settings of `hub`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HubSettings {
    /// The repository, owner/name or owner/name@revision; left out: parquet files below data.root.
    pub repo: Option<String>,
    /// The parquet files to take, as glob patterns of their paths ("plain_text/*"); left out: all.
    pub files: Vec<String>,
    /// The column of images, files' bytes; left out: `image`, `img`, or the only column of images.
    pub image_column: Option<String>,
    /// The column of labels, numbers or names; left out: `label`, `labels` or `fine_label`.
    pub label_column: Option<String>,
    /// A column of class names beside numbered labels; left out: the names that the files themselves give, if any.
    pub class_column: Option<String>,
    /// A column that says `train`, `validation` or `test`; left out: the files' paths say it.
    pub split_column: Option<String>,
    /// A column of what belongs together (a plant, a specimen) and must not be on two sides of a split.
    pub group_column: Option<String>,
    /// A column of masks, files' bytes as the images: mask source `column`.
    pub mask_column: Option<String>,
    /// What stands behind transparent pixels.
    pub background: Background,
    /// Seed of the cluttered backgrounds.
    pub background_seed: u64,
}
