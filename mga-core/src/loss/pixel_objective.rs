//! Objectives of segmentation as a kind of component: losses of a class for each pixel.

use mga_registry::{Entry, FromSettings, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dice_loss::dice_loss;
use super::label_maps::LabelMaps;
use super::pixel_cross_entropy::pixel_cross_entropy;
use crate::error::Result;
use crate::tape::{Tape, Value};

/// The kind of component that `objective.name` names where a class is learnt for each pixel.
#[derive(Debug, Clone, Copy)]
pub struct PixelObjectives;

impl PixelObjectives {
    /// The name of the Dice loss, which `objective.dice_weight` adds to the objective.
    pub const DICE: &'static str = "dice";
}

impl Kind for PixelObjectives {
    type Item = FromSettings<dyn PixelLoss>;
    const TITLE: &'static str = "objectives of segmentation";
    const KEY: &'static str = "objective.name";
}

/// A loss of a class for each pixel: the settings that stand beside `name` in `[objective]`.
pub trait PixelLoss: Send + Sync {
    /// Returns its key in `metrics.jsonl`: `cross_entropy`.
    fn key(&self) -> &'static str;

    /// Says what is wrong with the settings, beyond what their schema says.
    ///
    /// # Errors
    /// A setting out of range, at its key.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Returns whether `objective.class_weights` acts on it.
    fn takes_class_weights(&self) -> bool;

    /// Computes the loss of a batch on the tape, a scalar. `logits` `[N, K, H, W]`; `class_weights`: one for each class,
    /// `None`: all weigh the same. Ignored pixels count nowhere.
    ///
    /// # Errors
    /// Shapes that do not fit, and a label that is neither a class nor ignored.
    fn loss(&self, tape: &mut Tape, logits: Value, maps: LabelMaps<'_>, class_weights: Option<&[f64]>)
    -> Result<Value>;
}

/// The settings of the cross entropy of pixels: it has none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PixelCrossEntropy {}

impl PixelLoss for PixelCrossEntropy {
    fn key(&self) -> &'static str {
        "cross_entropy"
    }

    fn takes_class_weights(&self) -> bool {
        true
    }

    fn loss(
        &self,
        tape: &mut Tape,
        logits: Value,
        maps: LabelMaps<'_>,
        class_weights: Option<&[f64]>,
    ) -> Result<Value> {
        pixel_cross_entropy(tape, logits, maps, class_weights)
    }
}

/// The settings of the Dice loss: it has none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Dice {}

impl PixelLoss for Dice {
    fn key(&self) -> &'static str {
        "dice"
    }

    fn takes_class_weights(&self) -> bool {
        false
    }

    fn loss(&self, tape: &mut Tape, logits: Value, maps: LabelMaps<'_>, _: Option<&[f64]>) -> Result<Value> {
        dice_loss(tape, logits, maps)
    }
}

/// Returns the objectives of segmentation of this crate.
#[must_use]
pub fn pixel_objectives() -> Vec<Entry<PixelObjectives>> {
    vec![
        Entry::<PixelObjectives>::from_settings(
            "cross-entropy",
            "Cross entropy of every pixel.",
            |settings: PixelCrossEntropy| Box::new(settings) as Box<dyn PixelLoss>,
        ),
        Entry::<PixelObjectives>::from_settings(
            PixelObjectives::DICE,
            "Dice loss: 1 less the overlap of each class (Milletari et al. 2016).",
            |settings: Dice| Box::new(settings) as Box<dyn PixelLoss>,
        ),
    ]
}
