//! Objectives as a kind of component: losses of class scores.

use mga_registry::{Entry, FromSettings, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cross_entropy::cross_entropy_of;
use super::focal_loss::focal_loss;
use super::targets::Targets;
use crate::error::{Error, Result};
use crate::tape::{Tape, Value};

/// The kind of component that `objective.name` names.
#[derive(Debug, Clone, Copy)]
pub struct Objectives;

impl Kind for Objectives {
    type Item = FromSettings<dyn ClassLoss>;
    const TITLE: &'static str = "objectives";
    const KEY: &'static str = "objective.name";
}

/// A loss of class scores: the settings that stand beside `name` in `[objective]`.
pub trait ClassLoss: Send + Sync {
    /// Returns its key in `metrics.jsonl`: `cross_entropy`.
    fn key(&self) -> &'static str;

    /// Says what is wrong with the settings, beyond what their schema says.
    ///
    /// # Errors
    /// A setting out of range, at its key.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Returns whether `objective.label_smoothing` acts on it.
    fn takes_label_smoothing(&self) -> bool;

    /// Returns whether `objective.class_weights` acts on it.
    fn takes_class_weights(&self) -> bool;

    /// Computes the loss of a batch on the tape, a scalar: its mean over the images. `logits` `[N, classes]`.
    ///
    /// # Errors
    /// Shapes that do not fit, a label that is no class.
    fn loss(&self, tape: &mut Tape, logits: Value, targets: Targets<'_>, shared: &Shared) -> Result<Value>;
}

/// The settings that objectives share.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shared {
    /// Share of each label that is spread evenly over all classes, 0 to 1.
    pub label_smoothing: f64,
    /// Weight of each class; `None`: all weigh the same.
    pub class_weights: Option<Vec<f64>>,
}

/// An objective with the settings that objectives share.
pub struct ClassObjective {
    /// The loss.
    pub loss: Box<dyn ClassLoss>,
    /// The settings that all objectives share.
    pub shared: Shared,
}

impl ClassObjective {
    /// Computes the loss of a batch on the tape, a scalar. `logits` `[N, classes]`.
    ///
    /// # Errors
    /// Shapes that do not fit, a label that is no class.
    pub fn forward(&self, tape: &mut Tape, logits: Value, targets: Targets<'_>) -> Result<Value> {
        self.loss.loss(tape, logits, targets, &self.shared)
    }
}

/// The settings of the cross entropy: it has none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CrossEntropy {}

impl ClassLoss for CrossEntropy {
    fn key(&self) -> &'static str {
        "cross_entropy"
    }

    fn takes_label_smoothing(&self) -> bool {
        true
    }

    fn takes_class_weights(&self) -> bool {
        true
    }

    fn loss(&self, tape: &mut Tape, logits: Value, targets: Targets<'_>, shared: &Shared) -> Result<Value> {
        cross_entropy_of(tape, logits, targets, shared.label_smoothing, shared.class_weights.as_deref())
    }
}

/// The settings of the focal loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FocalSettings {
    /// How much less images count that are told well; 0 is the cross entropy.
    #[schemars(range(min = 0.0))]
    pub gamma: f64,
}

impl Default for FocalSettings {
    /// The paper's.
    fn default() -> Self {
        Self { gamma: 2.0 }
    }
}

impl ClassLoss for FocalSettings {
    fn key(&self) -> &'static str {
        "focal_loss"
    }

    fn check(&self) -> Result<()> {
        if self.gamma.is_finite() && self.gamma >= 0.0 {
            return Ok(());
        }
        Err(Error::setting("objective.gamma", format!("expected at least 0, found {}", self.gamma)))
    }

    fn takes_label_smoothing(&self) -> bool {
        false
    }

    fn takes_class_weights(&self) -> bool {
        true
    }

    fn loss(&self, tape: &mut Tape, logits: Value, targets: Targets<'_>, shared: &Shared) -> Result<Value> {
        focal_loss(tape, logits, targets, self.gamma, shared.class_weights.as_deref())
    }
}

/// Returns the objectives of this crate.
#[must_use]
pub fn objectives() -> Vec<Entry<Objectives>> {
    vec![
        Entry::<Objectives>::from_settings(
            "cross-entropy",
            "Cross entropy of the labels.",
            |settings: CrossEntropy| Box::new(settings) as Box<dyn ClassLoss>,
        ),
        Entry::<Objectives>::from_settings(
            "focal",
            "Cross entropy in which images that are told well count less: (1 - p)^gamma (Lin et al. 2017).",
            |settings: FocalSettings| Box::new(settings) as Box<dyn ClassLoss>,
        ),
    ]
}
