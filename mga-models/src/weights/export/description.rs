//! The description of the network in a weight file, as safetensors metadata.

use std::collections::HashMap;
use std::path::Path;

use mga_core::{Error, Result};
use mga_registry::Choice;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::weights::header::Header;

/// Metadata keys.
const BACKBONE: &str = "mga.backbone";
const ATTENTION: &str = "mga.attention";
const SETTINGS: &str = "mga.settings";
const CLASSES: &str = "mga.classes";
const PREPROCESSING: &str = "mga.preprocessing";
const EXPERIMENT: &str = "mga.experiment";

/// The description of a network's attention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionDescription {
    /// The kind: `none`, `multiply`, `residual`, `concat` or `cbam-spatial`, as in `model.attention`.
    pub kind: String,
    /// The two weights of `residual`.
    pub residual_weights: [f64; 2],
    /// Whether there is a map at all: with `none` it may be there for the mask loss alone.
    pub map: bool,
}

/// The settings of a network's components, as `[model]` has them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ComponentSettings {
    /// Of the backbone.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub backbone: Map<String, Value>,
    /// Of the attention.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub attention: Map<String, Value>,
    /// The head that was chosen in place of the backbone's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Choice>,
}

/// The preprocessing of an image before the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Channel means, of colours in 0 to 1.
    pub mean: [f64; 3],
    /// Channel deviations.
    pub std: [f64; 3],
    /// The transforms, as in `data.eval.transforms`, each with its `op`.
    pub transforms: Vec<serde_json::Value>,
    /// The background of transparent parts, as in `data.background`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<serde_json::Value>,
    /// Seed of a background that is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background_seed: Option<u64>,
    /// The rounding of resized images, as in `data.resize_rounding`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize_rounding: Option<serde_json::Value>,
    /// The value of white in 16-bit images, as in `data.white_point`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub white_point: Option<u16>,
}

/// A trained classifier, described.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelDescription {
    /// A registered backbone.
    pub backbone: String,
    /// The attention.
    pub attention: AttentionDescription,
    /// Settings of its components; most have none.
    pub settings: ComponentSettings,
    /// Class names, in the order of the classifier's rows.
    pub classes: Vec<String>,
    /// The preprocessing of an image.
    pub preprocessing: Preprocessing,
    /// Hash of the experiment it was trained by.
    pub experiment: String,
}

impl ModelDescription {
    /// Writes the description as safetensors metadata.
    ///
    /// # Errors
    /// A number that JSON cannot hold.
    pub fn to_metadata(&self) -> Result<HashMap<String, String>> {
        let json = |what: serde_json::Result<String>| what.map_err(|e| Error::Weights(format!("metadata: {e}")));
        let mut metadata = HashMap::from([
            ("format".to_owned(), "pt".to_owned()),
            (BACKBONE.to_owned(), self.backbone.clone()),
            (ATTENTION.to_owned(), json(serde_json::to_string(&self.attention))?),
            (CLASSES.to_owned(), json(serde_json::to_string(&self.classes))?),
            (PREPROCESSING.to_owned(), json(serde_json::to_string(&self.preprocessing))?),
            (EXPERIMENT.to_owned(), self.experiment.clone()),
        ]);
        if self.settings != ComponentSettings::default() {
            metadata.insert(SETTINGS.to_owned(), json(serde_json::to_string(&self.settings))?);
        }
        Ok(metadata)
    }

    /// Reads the description from safetensors metadata; `None` if the file was not exported by mga.
    ///
    /// # Errors
    /// Metadata that begins as ours and is incomplete or cannot be read.
    pub fn from_metadata(metadata: &HashMap<String, String>) -> Result<Option<Self>> {
        let Some(backbone) = metadata.get(BACKBONE) else { return Ok(None) };
        fn part<T: for<'a> Deserialize<'a>>(metadata: &HashMap<String, String>, key: &str) -> Result<T> {
            let text = metadata.get(key).ok_or_else(|| Error::Weights(format!("its metadata lacks `{key}`")))?;
            serde_json::from_str(text).map_err(|e| Error::Weights(format!("its metadata `{key}` cannot be read: {e}")))
        }
        Ok(Some(Self {
            backbone: backbone.clone(),
            attention: part(metadata, ATTENTION)?,
            settings: match metadata.contains_key(SETTINGS) {
                true => part(metadata, SETTINGS)?,
                false => ComponentSettings::default(),
            },
            classes: part(metadata, CLASSES)?,
            preprocessing: part(metadata, PREPROCESSING)?,
            experiment: metadata.get(EXPERIMENT).cloned().unwrap_or_default(),
        }))
    }

    /// Reads the description in the header of a weight file; `None` if it was not exported by mga.
    ///
    /// # Errors
    /// No safetensors file; metadata of ours that cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let failed = |what: String| Error::Weights(format!("{}: {what}", path.display()));
        Self::from_metadata(&Header::read(path)?.metadata).map_err(|e| failed(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> ModelDescription {
        ModelDescription {
            backbone: "resnet18".to_owned(),
            attention: AttentionDescription { kind: "residual".to_owned(), residual_weights: [0.5, 0.5], map: true },
            settings: ComponentSettings::default(),
            classes: vec!["a, \"b\"".to_owned(), "ü".to_owned()],
            preprocessing: Preprocessing {
                mean: [0.485, 0.456, 0.406],
                std: [0.1; 3],
                transforms: vec![serde_json::json!({ "op": "resize", "size": 96 })],
                background: None,
                background_seed: None,
                resize_rounding: Some(serde_json::json!("8-bit")),
                white_point: None,
            },
            experiment: "0123".to_owned(),
        }
    }

    #[test]
    fn metadata_is_read_back() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let tensors = [("x".to_owned(), candle_core::Tensor::new(&[1f32], &candle_core::Device::Cpu)?)];
        crate::weights::save_file(&tensors, description().to_metadata()?, &path)?;
        assert_eq!(ModelDescription::read(&path)?, Some(description()));
        let settings = ComponentSettings { head: Some("cosine".into()), ..ComponentSettings::default() };
        let chosen = ModelDescription { settings, ..description() };
        crate::weights::save_file(&tensors, chosen.to_metadata()?, &path)?;
        assert_eq!(ModelDescription::read(&path)?, Some(chosen));
        crate::weights::save_file(&tensors, HashMap::new(), &path)?;
        assert_eq!(ModelDescription::read(&path)?, None);
        Ok(())
    }

    #[test]
    fn half_a_description_is_an_error() {
        let mut metadata = description().to_metadata().unwrap();
        metadata.insert(ATTENTION.to_owned(), "{}".to_owned());
        assert!(ModelDescription::from_metadata(&metadata).unwrap_err().to_string().contains(ATTENTION));
        metadata.remove(CLASSES);
        metadata.insert(ATTENTION.to_owned(), description().to_metadata().unwrap()[ATTENTION].clone());
        assert!(ModelDescription::from_metadata(&metadata).unwrap_err().to_string().contains("lacks `mga.classes`"));
    }
}
