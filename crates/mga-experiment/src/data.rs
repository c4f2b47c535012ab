//! `[data]`: the images, their masks and what is done to them on the way in.

use std::path::PathBuf;

use mga_data::annotations::AnnotationSettings;
use mga_data::masks::{MaskLayout, MaskOrientation, MaskReading};
use mga_data::transforms::Rounding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::segmenter::SegmenterSettings;

/// The images, their masks and what is done to them on the way in.
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
    /// What to do with an image, mask or label that cannot be used.
    #[serde(default)]
    pub on_error: OnError,
    /// What is done before the first epoch to find images and masks that cannot be read. It changes no numbers.
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
    /// What becomes of the values of resized images: `none` keeps them as 32-bit numbers, `8-bit` rounds them after each axis,
    /// as PIL does and so torchvision and timm. Left out: `8-bit` where the experiment starts from published weights, whose
    /// images were resized so, else `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize_rounding: Option<Rounding>,
    /// The number that is white in images of 16 bits, 4095 where a camera fills twelve of them; left out: 65535.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub white_point: Option<u16>,
    /// Threads that decode and transform images; 0: all cores. Batches do not depend on it.
    #[serde(default)]
    pub workers: usize,
    /// Batches made ahead of time.
    #[serde(default = "two")]
    #[schemars(range(min = 1))]
    pub prefetch: usize,
    /// Images taken from train to select a checkpoint on: stratified, at least one image a class.
    #[serde(default)]
    pub validation: Validation,
    /// The test split of a data set that comes as one tree: stratified.
    #[serde(default)]
    pub split: TestSplit,
    /// Train and test though images of one group (one plant) are on both sides of the split, which flatters; every report
    /// flags it. Otherwise that is an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub groups_may_leak: bool,
    /// Where masks come from.
    #[serde(default)]
    pub masks: Masks,
    /// Where label maps come from; for task = "segmentation" alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<AnnotationSettings>,
    /// What is done to training images.
    #[serde(default)]
    pub train: TrainData,
    /// What is done to images that are evaluated or predicted.
    #[serde(default)]
    pub eval: EvalData,
    /// The data set's own settings, already checked against its schema.
    #[serde(flatten)]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// What to do with an image, mask or label that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// End the run with an error that names the file.
    #[default]
    Stop,
    /// Leave it out, count it and say so.
    Skip,
}

/// What is done before the first epoch to find images and masks that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// Decode all that the run will read, once: what was found whole is remembered by its content.
    #[default]
    Full,
    /// Read the headers of files alone: for data sets that take too long to decode.
    Headers,
    /// Nothing: what cannot be read ends the run where it comes to it, the test images after the last epoch.
    Off,
}

impl Verify {
    fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

/// Images taken from train to select a checkpoint on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Validation {
    /// Fraction of the training images of each class; neither this nor `per_class`: no validation images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub fraction: Option<f64>,
    /// Number of training images of each class, in place of `fraction`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub per_class: Option<usize>,
    /// Seed of the choice, apart from the experiment's so that seeds of one sweep share their validation images.
    pub seed: u64,
}

/// The test split of a data set that comes as one tree.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TestSplit {
    /// Fraction of the images of each class.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub test: Option<f64>,
    /// Seed of the choice.
    pub seed: u64,
}

/// Where masks come from. Evaluation and prediction never need them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Masks {
    /// `folder`, `alpha`, another source of the data set, a segmenter's name (which makes masks as they are needed, each
    /// once), `none`, or a control (`ones`, `shuffled`, `inverted`, `centre`, `silhouette`); left out: the data set's first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub source: Option<String>,
    /// What a mask that is zero everywhere means.
    pub empty: EmptyMask,
    /// What an image without a mask means.
    pub missing: MissingMask,
    /// The data set's source that a control is made from; left out: its first. `silhouette` is that of the data set where
    /// it offers one (`leaves`), else the convex hull of the mask.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub of: Option<String>,
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
    /// Numbers in mask files that mean 1: indices in files with a palette of colours, grey values otherwise. With this list
    /// alone all others mean 0; without any list, brightness counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub foreground: Vec<u16>,
    /// Numbers in mask files that mean 0; alone, all others mean 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub background: Vec<u16>,
    /// Numbers in mask files of pixels that are ignored: they have no share in the attention's target and loss.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<u16>,
    /// Which pixels of photographs that EXIF turns the mask files were drawn on: `upright` as they are shown, `stored` as
    /// they are stored; left out: upright, and how many there are that nothing shows is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orientation: Option<MaskOrientation>,
    /// Stretch masks of another aspect to their images, as the square outputs of some segmenters need; otherwise they are
    /// errors.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stretch: bool,
    /// How the segmenter named in `source` makes the masks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segmenter: Option<SegmenterSettings>,
}

impl Masks {
    /// How mask files are read.
    #[must_use]
    pub fn reading(&self) -> MaskReading {
        MaskReading {
            foreground: self.foreground.clone(),
            background: self.background.clone(),
            ignore: self.ignore.clone(),
            orientation: self.orientation,
            stretch: self.stretch,
        }
    }
}

/// What a mask that is zero everywhere means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EmptyMask {
    /// A target of ones, as in the authors' code.
    #[default]
    Ones,
    /// The image trains without a mask term.
    Skip,
}

/// What an image without a mask means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MissingMask {
    /// An error that names the image.
    #[default]
    Error,
    /// The image trains without a mask term.
    NoLoss,
}

/// What is done to training images.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainData {
    /// Transforms of image and mask, in order, each a table with its `op`; `mga list` shows them.
    #[schemars(schema_with = "super::schema::transforms")]
    pub transforms: Vec<serde_json::Value>,
}

/// What is done to images that are evaluated or predicted.
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
