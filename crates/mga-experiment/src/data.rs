//! `[data]`: the images, their masks and what is done to them on the way in.

use std::path::PathBuf;

use mga_data::annotations::AnnotationSettings;
use mga_data::cache::Cache;
use mga_data::class_split::ClassSplitSettings;
use mga_data::loader::OnError;
use mga_data::masks::MaskSettings;
use mga_data::split::{TestSettings, ValidationSettings};
use mga_data::transforms::Rounding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::segmenter::SegmenterSettings;

/// The images, their masks, and the preprocessing of both.
///
/// The settings of the data set itself stand beside these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Data {
    /// A registered data set; `mga list` shows them.
    pub dataset: String,
    /// Folder of the data, relative to where mga is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub root: Option<PathBuf>,
    /// The reaction to an image, mask or label that cannot be used.
    #[serde(default)]
    pub on_error: OnError,
    /// The search for unreadable images and masks before the first epoch. It changes no numbers.
    #[serde(default, skip_serializing_if = "Verify::is_full")]
    pub verify: Verify,
    /// Images in a training batch.
    #[serde(default = "eight")]
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Visit the training images in a new order each epoch.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// Leave out a last batch that is not full.
    #[serde(default)]
    pub drop_last: bool,
    /// Mean of the colours that images are normalised by, in 0 to 1; left out: the weights' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(inner(range(min = 0.0, max = 1.0)))]
    pub mean: Option<[f64; 3]>,
    /// Standard deviation of the colours that images are normalised by; left out: the weights' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("items" = { "type": "number", "exclusiveMinimum": 0.0 }))]
    pub std: Option<[f64; 3]>,
    /// The rounding of resized images: `none` keeps them as 32-bit numbers, `8-bit` rounds them after each axis, as PIL
    /// does and so torchvision and timm. Left out: `8-bit` where the experiment starts from published weights, whose
    /// images were resized so, else `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-older-releases" = "none"))]
    pub resize_rounding: Option<Rounding>,
    /// The value of white in 16-bit images, such as 4095 if a camera fills twelve bits; left out: 65535.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("x-older-releases" = 65535))]
    pub white_point: Option<u16>,
    /// Threads that decode and transform images; 0 uses all cores. Batches do not depend on it.
    #[serde(default)]
    pub workers: usize,
    /// Batches made ahead of time.
    #[serde(default = "two")]
    #[schemars(range(min = 1))]
    pub prefetch: usize,
    /// Where decoded images are kept for the next epoch: `none`, in `memory`, or on `disk`, in a temporary file. Transforms
    /// still run on each, and no number changes.
    #[serde(default, skip_serializing_if = "Cache::is_none")]
    pub cache: Cache,
    /// The most that the cache keeps, in GiB; what comes later is decoded each time. Left out: 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub cache_limit: Option<f64>,
    /// Images taken from train to select a checkpoint on: stratified, at least one image a class.
    #[serde(default)]
    pub validation: ValidationSettings,
    /// The test split of a data set that comes as one tree: stratified.
    #[serde(default)]
    pub split: TestSettings,
    /// A split of the classes into base, validation and novel ones, in place of a split of each class's images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-older-releases" = null))]
    pub class_split: Option<ClassSplitSettings>,
    /// Allow images of one group (one plant) on both sides of the split. The results are then too good, and every
    /// report flags it. Otherwise this is an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub groups_may_leak: bool,
    /// Where masks come from.
    #[serde(default)]
    pub masks: Masks,
    /// Where label maps come from; for task = "segmentation" alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<AnnotationSettings>,
    /// The preprocessing of training images.
    #[serde(default)]
    pub train: TrainData,
    /// The preprocessing of images that are evaluated or predicted.
    #[serde(default)]
    pub eval: EvalData,
    /// The data set's own settings, already checked against its schema.
    #[serde(flatten)]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// The search for unreadable images and masks before the first epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// Decode everything that the run will read, once: files that were decoded without error are remembered by their
    /// content.
    #[default]
    Full,
    /// Read only the headers of files, for data sets that take too long to decode.
    Headers,
    /// Check nothing. An unreadable file ends the run when it is read, which is after the last epoch for test images.
    Off,
}

impl Verify {
    fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

/// Where masks come from. Evaluation and prediction never need them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Masks {
    /// Where masks come from, and how their files are read.
    #[serde(flatten)]
    pub settings: MaskSettings,
    /// How the segmenter named in `source` makes the masks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segmenter: Option<SegmenterSettings>,
}

/// The preprocessing of training images.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainData {
    /// Transforms of image and mask, in order, each a table with its `op`; `mga list` shows them.
    #[schemars(schema_with = "super::schema::transforms")]
    pub transforms: Vec<serde_json::Value>,
}

/// The preprocessing of images that are evaluated or predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvalData {
    /// Transforms of image and mask, in order; none: the whole image at its own size.
    #[schemars(schema_with = "super::schema::transforms")]
    pub transforms: Vec<serde_json::Value>,
    /// Images in a batch; more than one needs images of one size.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
}

impl Default for EvalData {
    fn default() -> Self {
        Self { transforms: Vec::new(), batch_size: 1 }
    }
}

fn eight() -> usize {
    8
}

fn two() -> usize {
    2
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_one_table_of_two_structs() {
        let table = r#"{"source":"folder","empty":"skip","missing":"no-loss","of":"alpha","seed":2,"folder":"m",
            "mask_name":"{stem}.png","mask_layout":"flat","foreground":[1],"background":[0],"ignore":[3],
            "orientation":"stored","stretch":true}"#;
        let masks: Masks = serde_json::from_str(table).unwrap();
        let written: String = table.split_whitespace().collect();
        assert_eq!(serde_json::to_string(&masks).unwrap(), written);
        assert_eq!(serde_json::to_string(&Masks::default()).unwrap(), r#"{"empty":"ones","missing":"error","seed":0}"#);
        // What is no key of all sources is the source's own: the schema tells whether it has such a key.
        let own: Masks = serde_json::from_str(r#"{"source":"disc","radius":0.5,"segmenter":{}}"#).unwrap();
        assert_eq!(own.settings.own.keys().collect::<Vec<_>>(), ["radius"]);
        assert!(own.segmenter.is_some());
    }
}
