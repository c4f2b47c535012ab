//! What an attention is: a map over the places of the features, and what it does to them.

use mga_core::Result;
use mga_core::nn::BatchNorm2d;
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Kind, OwnSettings};

use crate::features::Features;
use crate::stage::{Stage, StageId};
use crate::torch_program::AttentionProgram;

/// The kind of component that `model.attention` names.
#[derive(Debug)]
pub struct Attentions;

impl Kind for Attentions {
    type Item = dyn RegisteredAttention;
    const TITLE: &'static str = "attention";
    const KEY: &'static str = "model.attention";
}

/// An attention that is registered by its name; the schema of its settings, a table without `name`, is that of its entry.
pub trait RegisteredAttention: Send + Sync {
    /// Builds it on a backbone. `None`: features go on as they are, and nothing shows a map.
    ///
    /// # Errors
    /// Settings that it does not have or cannot use.
    fn build(&self, opening: AttentionOpening<'_, '_>) -> Result<Option<Box<dyn Attention>>>;

    /// Whether it has a map that masks can guide.
    fn gives_map(&self) -> bool {
        true
    }

    /// Whether it changes features; one that does not can still have a map, which masks guide.
    fn changes_features(&self) -> bool {
        true
    }

    /// Whether it needs a mask with every image, to evaluate and predict too. [`Features::masks`] are there then.
    fn needs_masks(&self) -> bool {
        false
    }

    /// Whether `model.residual_weights` count.
    fn uses_residual_weights(&self) -> bool {
        false
    }

    /// Itself in PyTorch, without settings of its own, for the program beside exported weights; `None`: none is written.
    fn program(&self, _residual_weights: [f64; 2]) -> Option<AttentionProgram> {
        None
    }
}

/// The parts that an attention is built from.
pub struct AttentionOpening<'b, 'a> {
    /// The place of its parameters, below `attention`.
    pub builder: Builder<'b>,
    /// Its own settings.
    pub settings: OwnSettings<'a>,
    /// The stages of the backbone, with their channels.
    pub stages: &'a [Stage],
    /// Whether masks guide the map (`model.mask_guidance`).
    pub guided: bool,
    /// `model.residual_weights`: what the features weigh, and what the attended features weigh.
    pub residual_weights: (f64, f64),
}

/// An attention of one network.
pub trait Attention: Send + Sync {
    /// Looks at the features and changes them.
    ///
    /// # Errors
    /// Features of shapes that it cannot use.
    fn forward(&self, tape: &mut Tape, features: Features) -> Result<Attended>;

    /// The stages whose maps it sees beside the last.
    fn stages(&self) -> Vec<StageId> {
        Vec::new()
    }

    /// Channels of a stage's map behind it, where the backbone gives `channels`.
    fn channels(&self, _stage: StageId, channels: usize) -> usize {
        channels
    }

    /// Its batch norms.
    fn norms(&self) -> Vec<&BatchNorm2d> {
        Vec::new()
    }
}

/// The result of an attention.
#[derive(Debug, Clone)]
pub struct Attended {
    /// The features for the head.
    pub features: Features,
    /// The map `[N, 1, h, w]`, in 0 to 1, which masks can guide.
    pub map: Option<Value>,
}
