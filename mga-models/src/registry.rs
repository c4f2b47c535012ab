//! Every backbone and segmentation network an experiment can name. An explicit table: adding one is a file and a line, and a program of one's own
//! starts from [`Registry::builtin`] and adds its entries.

use mga_core::Result;
use mga_core::parameter::Builder;

use crate::backbone::Backbone;
use crate::backbones;
use crate::head::HeadKind;
use crate::segmenter::SegmenterEntry;
use crate::segmenters::{self, WeightlessEntry};

/// A backbone by name.
#[derive(Clone, Copy)]
pub struct BackboneEntry {
    /// The name in `model.backbone`.
    pub name: &'static str,
    /// One line for `mga list`.
    pub about: &'static str,
    /// Builds it, at the root of the names.
    pub build: fn(Builder<'_>) -> Result<Box<dyn Backbone>>,
    /// The classifier it comes with.
    pub head: HeadKind,
    /// Prefixes of other sources' names and ours, matched at dots.
    pub renames: &'static [(&'static str, &'static str)],
}

/// The backbones and segmentation networks of one program.
#[derive(Clone)]
pub struct Registry {
    backbones: Vec<BackboneEntry>,
    segmenters: Vec<SegmenterEntry>,
    weightless: Vec<WeightlessEntry>,
}

impl Registry {
    /// Those of this crate.
    pub fn builtin() -> Self {
        let families = [backbones::RESNETS, backbones::DENSENETS, backbones::VGGS];
        let mut backbones: Vec<_> = families.concat();
        backbones.extend([crate::backbones::MOBILENET_V2, crate::backbones::CONV4]);
        let segmenters = vec![segmenters::UNET_SMALL];
        let weightless = vec![segmenters::OTSU, segmenters::EXCESS_GREEN];
        Self { backbones, segmenters, weightless }
    }

    /// Adds one; it replaces another of the same name.
    #[must_use]
    pub fn with_backbone(mut self, entry: BackboneEntry) -> Self {
        self.backbones.retain(|present| present.name != entry.name);
        self.backbones.push(entry);
        self
    }

    /// All of them.
    pub fn backbones(&self) -> &[BackboneEntry] {
        &self.backbones
    }

    /// The one called `name`.
    pub fn backbone(&self, name: &str) -> Option<&BackboneEntry> {
        self.backbones.iter().find(|entry| entry.name == name)
    }

    /// Adds a segmentation network; it replaces another of the same name.
    #[must_use]
    pub fn with_segmenter(mut self, entry: SegmenterEntry) -> Self {
        self.segmenters.retain(|present| present.name != entry.name);
        self.segmenters.push(entry);
        self
    }

    /// All segmentation networks.
    pub fn segmenters(&self) -> &[SegmenterEntry] {
        &self.segmenters
    }

    /// The segmentation network called `name`.
    pub fn segmenter(&self, name: &str) -> Option<&SegmenterEntry> {
        self.segmenters.iter().find(|entry| entry.name == name)
    }

    /// Adds a segmenter without weights; it replaces another of the same name.
    #[must_use]
    pub fn with_weightless(mut self, entry: WeightlessEntry) -> Self {
        self.weightless.retain(|present| present.name != entry.name);
        self.weightless.push(entry);
        self
    }

    /// All segmenters without weights.
    pub fn weightless_segmenters(&self) -> &[WeightlessEntry] {
        &self.weightless
    }

    /// The segmenter without weights called `name`.
    pub fn weightless(&self, name: &str) -> Option<&WeightlessEntry> {
        self.weightless.iter().find(|entry| entry.name == name)
    }
}
