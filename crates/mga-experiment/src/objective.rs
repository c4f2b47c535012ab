//! `[objective]`: the loss.

use mga_core::loss::{ClassLoss, Objectives, PixelLoss, PixelObjectives};
use mga_core::metrics::Predictions;
use mga_registry::Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The loss: `name` of the classes + `mask_weight` times the mean squared error between attention and mask. Of segmentation:
/// `name` of the pixels + `dice_weight` times the Dice loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Objective {
    /// A registered loss of class scores, or with task = "segmentation" of pixels; `mga list` shows them.
    #[serde(skip_serializing_if = "is_cross_entropy")]
    #[schemars(extend("x-older-releases" = "cross-entropy"))]
    pub name: String,
    /// The loss's own settings.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
    /// Weight of the mask loss.
    #[schemars(range(min = 0.0))]
    pub mask_weight: f64,
    /// Share of each label that is spread evenly over all classes.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub label_smoothing: f64,
    /// A weight for each class in the cross entropy, in the order of the classes, as PyTorch's `weight`: the loss of a batch
    /// is divided by the sum of its labels' weights. `"balanced"`: n / (k n_c), of n training images (of segmentation:
    /// annotated pixels) in k classes, n_c of them in this one. Left out: all 1. Metrics are not weighted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Whether a classifier's `class_weights` count. Set by mga itself: true where an experiment gives them; release 0.1.0
    /// took the weights of a classifier and did nothing with them, so runs that it resolved go on without.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-older-releases" = false))]
    pub weigh_classes: bool,
    /// Segmentation: weight of the Dice loss beside the loss that `name` says, which weighs 1.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0.0))]
    pub dice_weight: f64,
    /// Segmentation: weight of the same loss of the auxiliary head, where the network has one.
    #[serde(skip_serializing_if = "is_half")]
    #[schemars(range(min = 0.0))]
    pub auxiliary_weight: f64,
}

/// The weights of the classes in the cross entropy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ClassWeights {
    /// One for each class, in their order.
    Each(#[schemars(inner(range(min = 0.0)))] Vec<f64>),
    /// Weights from the frequencies of the classes in the training images.
    ByCount(ByCount),
}

/// Class weights that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ByCount {
    /// Each class counts as much as any other.
    Balanced,
}

impl Objective {
    /// The loss that is used where none is named.
    pub const CROSS_ENTROPY: &'static str = "cross-entropy";

    /// Writes out every setting of the loss's own, defaults included, as the loss of these predictions has them.
    ///
    /// # Errors
    /// No such loss; settings that it cannot read.
    pub fn complete(&mut self, predictions: Predictions, kinds: &Registry) -> mga_core::Result<()> {
        self.settings = match predictions {
            Predictions::LabelMaps => kinds.complete::<PixelObjectives, _>(&self.name, &self.settings)?,
            Predictions::Scores | Predictions::Task(_) => {
                kinds.complete::<Objectives, _>(&self.name, &self.settings)?
            }
        };
        Ok(())
    }

    /// Checks that there is a loss of these predictions with these settings.
    ///
    /// # Errors
    /// As [`Self::loss`] and [`Self::pixel_loss`].
    pub fn check(&self, predictions: Predictions, kinds: &Registry) -> mga_core::Result<()> {
        match predictions {
            Predictions::LabelMaps => self.pixel_loss(kinds).map(drop),
            Predictions::Scores | Predictions::Task(_) => self.loss(kinds).map(drop),
        }
    }

    /// Returns the loss of a class for each pixel, with its settings.
    ///
    /// # Errors
    /// No such loss; a setting out of range.
    pub fn pixel_loss(&self, kinds: &Registry) -> mga_core::Result<Box<dyn PixelLoss>> {
        let loss = kinds.make::<PixelObjectives, _>(&self.name, &self.settings)?;
        loss.check()?;
        Ok(loss)
    }

    /// Returns the loss of class scores, with its settings.
    ///
    /// # Errors
    /// No such loss; a setting out of range.
    pub fn loss(&self, kinds: &Registry) -> mga_core::Result<Box<dyn ClassLoss>> {
        let loss = kinds.make::<Objectives, _>(&self.name, &self.settings)?;
        loss.check()?;
        Ok(loss)
    }
}

fn is_cross_entropy(name: &str) -> bool {
    name == Objective::CROSS_ENTROPY
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn is_half(value: &f64) -> bool {
    *value == 0.5
}

impl Default for Objective {
    fn default() -> Self {
        Self {
            name: Self::CROSS_ENTROPY.to_owned(),
            settings: Map::new(),
            mask_weight: 0.1,
            label_smoothing: 0.0,
            class_weights: None,
            weigh_classes: false,
            dice_weight: 0.0,
            auxiliary_weight: 0.5,
        }
    }
}
