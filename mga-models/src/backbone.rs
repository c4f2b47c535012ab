//! The interface of a backbone: a chain of named stages.

use mga_core::Result;
use mga_core::nn::BatchNorm2d;
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Choice, Kind, OwnSettings};

use crate::features::Features;
pub use crate::stage::{Stage, StageId};
use crate::torch_program::BackboneProgram;

/// A trainable feature extractor, written against mga-core's layers only.
pub trait Backbone: Send + Sync {
    /// Its stages, first to last.
    fn stages(&self) -> &[Stage];

    /// `images` `[N, 3, H, W]` to the outputs of the stages `taps` (ascending), `[N, C, h, w]` each, and what else it gives.
    /// Stages behind the last tap are not run.
    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Features>;

    /// Every batch norm, in forward order.
    fn norms(&self) -> Vec<&BatchNorm2d>;

    /// Channels of [`Features::pooled`], where it gives that.
    fn pooled_channels(&self) -> Option<usize> {
        None
    }

    /// The last stage.
    fn last(&self) -> StageId {
        StageId(self.stages().len().saturating_sub(1))
    }
}

/// Runs stage after stage and keeps the outputs that are wanted. Every backbone's `forward` is this loop.
pub fn run_stages(
    tape: &mut Tape,
    images: Value,
    taps: &[StageId],
    mut stage: impl FnMut(&mut Tape, usize, Value) -> Result<Value>,
) -> Result<Features> {
    let mut x = images;
    let mut maps = Vec::with_capacity(taps.len());
    let last = taps.last().map_or(0, |tap| tap.0 + 1);
    for index in 0..last {
        x = stage(tape, index, x)?;
        if taps.contains(&StageId(index)) {
            maps.push((StageId(index), x.clone()));
        }
    }
    Ok(Features { maps, ..Features::default() })
}

/// The kind of component that `model.backbone` names.
#[derive(Debug)]
pub struct Backbones;

impl Kind for Backbones {
    type Item = dyn RegisteredBackbone;
    const TITLE: &'static str = "backbones";
    const KEY: &'static str = "model.backbone";
}

/// A backbone that is registered by its name; the schema of its settings is that of its entry.
pub trait RegisteredBackbone: Send + Sync {
    /// Builds it, at the root of the names. Its settings stand beside its name in `[model]`.
    ///
    /// # Errors
    /// Settings that it does not have or cannot use.
    fn build(&self, builder: Builder<'_>, settings: OwnSettings<'_>) -> Result<Box<dyn Backbone>>;

    /// The head it comes with, for which its published weights are. By default a linear layer called `classifier`.
    fn head(&self) -> Choice {
        Choice::from("linear")
    }

    /// Prefixes of other sources' names and ours, matched at dots; `*` stands for one part between dots.
    fn renames(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The last stage that keeps its values where the network starts from weights and `model.freeze_through` is left out;
    /// `None`: all of it trains.
    fn freeze_through(&self) -> Option<&'static str> {
        None
    }

    /// Whether it can drop what it computed in between and compute it again in the backward pass (`train.recompute`).
    fn recomputes(&self) -> bool {
        false
    }

    /// Its name at timm, the `architecture` of `config.json`, where that is another than ours.
    fn timm_name(&self) -> Option<&'static str> {
        None
    }

    /// Itself in PyTorch, without settings and with its own head, for the program beside exported weights; `None`: none is
    /// written.
    fn program(&self) -> Option<BackboneProgram> {
        None
    }
}
