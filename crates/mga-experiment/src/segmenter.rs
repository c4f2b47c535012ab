//! `[data.masks.segmenter]`: how a segmenter makes the masks.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the segmenter named in `data.masks.source` makes the masks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SegmenterSettings {
    /// A network's weights: `file:PATH` of a safetensors file or of the folder of a run with task = "segmentation", or a name
    /// such as `nvidia/segformer-b0-finetuned-ade-512-512`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub weights: Option<String>,
    /// Classes of the weights; left out: the run's, else those of published weights, else 21 (PASCAL VOC, torchvision's
    /// segmentation weights).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub classes: Option<usize>,
    /// The classes that are foreground, by number, or by name where a run or `config.json` names them; left out: all but the
    /// first, which must be a background.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub foreground: Vec<ClassName>,
    /// 1 where the foreground's probability is at least this and 0 elsewhere; left out: the probability itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: Option<f64>,
    /// Side of the square tiles that larger images are looked at in, pixels; 0: always the whole image.
    pub tile: usize,
    /// Pixels that neighbouring tiles share at least; there they are blended.
    pub overlap: usize,
    /// Sizes, relative to the image's, that a network looks at; their masks are averaged.
    #[schemars(length(min = 1), extend("items" = { "type": "number", "exclusiveMinimum": 0.0, "maximum": 8.0 }))]
    pub scales: Vec<f64>,
    /// Average the masks of the image and of its mirror image.
    pub flip: bool,
    /// Mean of the colours that the weights want; left out: the run's, else theirs, else ImageNet's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(inner(range(min = 0.0, max = 1.0)))]
    pub mean: Option<[f64; 3]>,
    /// Standard deviation of the colours; left out: the run's, else theirs, else ImageNet's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("items" = { "type": "number", "exclusiveMinimum": 0.0 }))]
    pub std: Option<[f64; 3]>,
    /// Settings of the segmenter itself, as its entry describes them: of `otsu` for example { of = "saturation",
    /// foreground = "below" }.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    #[schemars(extend("additionalProperties" = true))]
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Where masks are kept that were made once; left out: MGA_CACHE/masks, else XDG_CACHE_HOME/mga/masks, else
    /// ~/.cache/mga/masks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub cache: Option<PathBuf>,
}

/// A class by number or by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ClassName {
    /// Counted from 0.
    Number(usize),
    /// As the segmentation run names it.
    Name(String),
}

impl Default for SegmenterSettings {
    fn default() -> Self {
        Self {
            weights: None,
            classes: None,
            foreground: Vec::new(),
            threshold: None,
            tile: 1024,
            overlap: 128,
            scales: vec![1.0],
            flip: false,
            mean: None,
            std: None,
            options: serde_json::Map::new(),
            cache: None,
        }
    }
}
