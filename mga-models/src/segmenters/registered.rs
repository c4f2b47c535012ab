//! Segmenters as they are registered: rules without weights, and networks.

use mga_core::Result;
use mga_core::parameter::Builder;
use mga_registry::{Kind, OwnSettings};

use crate::segmenter::{SegmentationNetwork, Segmenter};

/// The kind of component that `data.masks.source` names where a segmenter makes the masks.
#[derive(Debug)]
pub struct Segmenters;

impl Kind for Segmenters {
    type Item = RegisteredSegmenter;
    const TITLE: &'static str = "segmenters";
    const KEY: &'static str = "data.masks.source";
}

/// A segmenter that is registered by its name; the schema of its settings is that of its entry.
pub enum RegisteredSegmenter {
    /// Nothing to learn, nothing to download. Its settings are `data.masks.segmenter.options`.
    Rule(Box<dyn RegisteredRule>),
    /// A network with weights. Its settings stand beside `model.backbone` where it is trained, and are
    /// `data.masks.segmenter.options` where it makes masks.
    Network(Box<dyn RegisteredNetwork>),
}

/// A segmenter without weights.
pub trait RegisteredRule: Send + Sync {
    /// Builds it.
    ///
    /// # Errors
    /// Settings that it does not have or cannot use.
    fn build(&self, settings: OwnSettings<'_>) -> Result<Box<dyn Segmenter>>;
}

/// A segmentation network.
pub trait RegisteredNetwork: Send + Sync {
    /// Builds it for so many classes, at the root of the names.
    ///
    /// # Errors
    /// Settings that it does not have or cannot use.
    fn build(
        &self,
        builder: Builder<'_>,
        classes: usize,
        settings: OwnSettings<'_>,
    ) -> Result<Box<dyn SegmentationNetwork>>;

    /// Prefixes of other sources' names and ours, matched at dots.
    fn renames(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Whether every operator of it has a gradient, so that it can be trained.
    fn trainable(&self) -> bool {
        true
    }

    /// The classifier it is built on, whose weights can start it.
    fn trunk(&self) -> Option<Trunk> {
        None
    }

    /// Whether it has an auxiliary head in training, which `objective.auxiliary_weight` weighs.
    fn has_auxiliary_head(&self) -> bool {
        false
    }
}

/// The position of a registered backbone in a segmentation network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trunk {
    /// The backbone's name in the registry.
    pub backbone: &'static str,
    /// The prefix of the names of its entries.
    pub prefix: &'static str,
}
