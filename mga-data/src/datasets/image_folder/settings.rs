//! The settings of `image-folder`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::background::Background;
use crate::masks::MaskLayout;

/// Settings of the `image-folder` data set: one folder a class.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImageFolderSettings {
    /// How the root is laid out: "auto" takes "split" where `classes` is left out and it has a folder `train`, or nothing but
    /// folders named after parts (`Train`, `Validation`, `TEST`, `train_set`), one of training images with class folders in
    /// it and another.
    pub layout: Layout,
    /// Class names and their folders below the root (with `layout = "split"`: below each part), sub-folders included.
    /// Left out: every folder is a class.
    pub classes: BTreeMap<String, OneOrMany>,
    /// Which folders below the root (with `layout = "split"`: below each part) are the classes: 1 the first ones, 2 those in
    /// them, named `Acer/rubrum`, and so on. Left out: 1, and what lies deeper is told.
    #[schemars(range(min = 1), extend("x-older-releases" = 1))]
    pub class_level: Option<usize>,
    /// A regular expression that reads the class, and what stays together, from the path of each image without extension:
    /// `(?P<class>[A-Za-z]+)_(?P<plant>\d+)`. Without `class` in it the folders are the classes. A `group` stands by itself;
    /// any other name, such as `plant`, counts within its class.
    #[schemars(extend("x-older-releases" = null))]
    pub label: Option<String>,
    /// Take images of the test part that lie in no class folder for test images without a label, which are predicted and
    /// not scored. Left out: they are passed over, and told.
    #[schemars(extend("x-older-releases" = false))]
    pub unlabelled_test: Option<bool>,
    /// Images to leave out: glob patterns of paths below the root, such as "*.gif" or "birds/*cartoon*" (`*` reaches
    /// into sub-folders).
    pub exclude: Vec<String>,
    /// A tree laid out as the root, of masks called `STEM.png` or as the image (mask source "folder"); below the root
    /// where relative.
    #[schemars(extend("x-path" = "place"))]
    pub mask_root: Option<PathBuf>,
    /// What masks are called instead: "{stem}_segmentation.png", where {stem} is the image's name without extension and
    /// {name} with it.
    #[schemars(extend("x-path" = "place"))]
    pub mask_name: Option<String>,
    /// "tree": masks lie in sub-folders as the images; "flat": all in `mask_root` itself. Left out: "tree".
    #[schemars(extend("x-path" = "place"))]
    pub mask_layout: Option<MaskLayout>,
    /// The background of transparent pixels: "white", "black", "grey", "clutter", or [red, green, blue] of 0 to 255.
    pub background: Background,
    /// Seed of the cluttered backgrounds.
    pub background_seed: u64,
    /// Read the header of every image and mask when opening, so that all faults are told at once.
    pub check_files: bool,
}

impl Default for ImageFolderSettings {
    fn default() -> Self {
        Self {
            layout: Layout::Auto,
            classes: BTreeMap::new(),
            class_level: None,
            label: None,
            unlabelled_test: None,
            exclude: Vec::new(),
            mask_root: None,
            mask_name: None,
            mask_layout: None,
            background: Background::default(),
            background_seed: 0,
            check_files: true,
        }
    }
}

/// How a tree of images is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// As the folders suggest.
    Auto,
    /// Folders named after parts, in any case (`train`, `val` or `Validation`, `test`), each with the classes in it.
    Split,
    /// The classes directly; the experiment splits.
    Tree,
}

/// A folder or several.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected the path of a folder, or a list of such paths")]
pub enum OneOrMany {
    /// One folder.
    One(PathBuf),
    /// Several folders that make one class.
    Many(Vec<PathBuf>),
}

impl OneOrMany {
    pub(super) fn paths(&self) -> &[PathBuf] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Many(paths) => paths,
        }
    }
}
