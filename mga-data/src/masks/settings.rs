//! The settings of masks, `[data.masks]` and `[eval.reference_masks]` of an experiment.

use std::path::PathBuf;

use mga_registry::Choice;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::finder::MaskLayout;
use super::reading::MaskReading;

/// The key of [`MaskSettings::source`].
pub(super) const SOURCE: &str = "data.masks.source";

/// The key of [`MaskSettings::of`].
pub(super) const OF: &str = "data.masks.of";

/// The name of the source of mask files.
pub const FOLDER: &str = "folder";

/// Where masks come from. Evaluation and prediction never need them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct MaskSettings {
    /// `folder`, `alpha`, another source of the data set, a segmenter's name (which makes masks as they are needed, each
    /// once), `none`, or a control (`ones`, `shuffled`, `inverted`, `centre`, `silhouette`); left out: the data set's first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub source: Option<String>,
    /// The meaning of a mask that is zero everywhere.
    pub empty: EmptyMask,
    /// The treatment of an image without a mask.
    pub missing: MissingMask,
    /// The source of the masks that a control is made from: its name, or a table with `name` and settings of its own, such
    /// as { name = "disc", radius = 0.3 }; left out: the data set's first. `silhouette` is that of the data set where it
    /// offers one (`leaves`), else the convex hull of the mask.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "source_choice")]
    pub of: Option<Choice>,
    /// Seed of the controls that draw.
    pub seed: u64,
    /// With source = "folder": a folder of masks that are named after the images, such as `mga masks` writes, in place of
    /// the data set's own. Relative to where mga is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub folder: Option<PathBuf>,
    /// What the masks in `folder` are called: "{stem}_segmentation.png", where {stem} is the image's name without extension
    /// and {name} with it; left out: the image's name with .png.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub mask_name: Option<String>,
    /// How `folder` is laid out: `tree`, in sub-folders as the images, or `flat`, all in the one folder; left out: `tree`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_layout: Option<MaskLayout>,
    /// How mask files are read.
    #[serde(flatten)]
    pub reading: MaskReading,
    /// Settings of the source's own, already checked against the schema of its entry.
    #[serde(flatten)]
    #[schemars(skip)]
    pub own: Map<String, Value>,
}

/// The name of a source, or a table with `name` and its settings.
fn source_choice(_: &mut SchemaGenerator) -> Schema {
    let name = serde_json::json!({ "type": "string", "minLength": 1 });
    json_schema!({ "anyOf": [name, { "type": "object", "properties": { "name": name }, "required": ["name"] }] })
}

impl MaskSettings {
    /// Creates the settings of one source, with defaults for the rest.
    #[must_use]
    pub fn of_source(source: impl Into<String>) -> Self {
        Self { source: Some(source.into()), ..Self::default() }
    }

    /// Returns the name of the source. `file`, as `mga masks` calls mask files, is `folder`.
    #[must_use]
    pub fn source_name(&self) -> Option<&str> {
        let name = self.source.as_deref()?;
        Some(if name == "file" { FOLDER } else { name })
    }
}

/// The meaning of a mask that is zero everywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EmptyMask {
    /// A target of ones, as in the authors' code.
    #[default]
    Ones,
    /// The image trains without a mask term.
    Skip,
}

/// The treatment of an image without a mask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MissingMask {
    /// An error that names the image.
    #[default]
    Error,
    /// The image trains without a mask term.
    NoLoss,
}
