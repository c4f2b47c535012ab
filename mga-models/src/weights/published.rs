//! Weights that somebody published, by name: where they are and what they expect of an image.
//!
//! Each component's file holds the table of its own (`pub const WEIGHTS: &[PublishedWeights]`), and
//! [`crate::Registry::builtin`] puts them together. Facts are those of the publisher's own configuration.

/// Weights that somebody published: where they are and what they expect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedWeights {
    /// The name in `model.weights`: `timm/densenet161.tv_in1k`.
    pub name: &'static str,
    /// The registered backbone or segmenter they belong to: `densenet161`.
    pub component: &'static str,
    /// The hub repository: `timm/densenet161.tv_in1k`.
    pub repo: &'static str,
    /// The file in it: `model.safetensors`.
    pub file: &'static str,
    /// The revision taken where none is asked for: a branch, a tag, a commit or `refs/pr/2`.
    pub revision: &'static str,
    /// Channel means of the images they were trained on, in 0..=1, red, green, blue.
    pub mean: [f64; 3],
    /// Channel deviations, as `mean`.
    pub std: [f64; 3],
    /// Side of the square images they were trained on, in pixels.
    pub size: usize,
    /// How those were resized: `bilinear` or `bicubic`.
    pub interpolation: &'static str,
    /// Classes they tell apart.
    pub classes: usize,
    /// The licence's SPDX name in lower case; empty where the publisher's page could not be read.
    pub licence: &'static str,
    /// Prefixes of the file's names and ours, matched at dots, before the component's own table.
    pub renames: &'static [(&'static str, &'static str)],
    /// Whether `weights = "imagenet"` means these; one entry a component at most.
    pub default: bool,
}

/// Channel means and deviations of ImageNet's training images, which most weights expect.
pub const IMAGENET: ([f64; 3], [f64; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

impl PublishedWeights {
    /// What most classifiers of the hub's `timm` repositories share: start from it and set what is left.
    pub const TIMM: Self = Self {
        name: "",
        component: "",
        repo: "",
        file: "model.safetensors",
        revision: "main",
        mean: IMAGENET.0,
        std: IMAGENET.1,
        size: 224,
        interpolation: "bicubic",
        classes: 1000,
        licence: "",
        renames: &[],
        default: true,
    };
}
