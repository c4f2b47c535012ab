//! What a head is: a classifier on top of the attended features.

use mga_core::Result;
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Kind, OwnSettings};

use crate::features::Features;
use crate::stage::{Stage, StageId};

/// The kind of component that `model.head` names.
#[derive(Debug)]
pub struct Heads;

impl Kind for Heads {
    type Item = dyn RegisteredHead;
    const TITLE: &'static str = "heads";
    const KEY: &'static str = "model.head";
}

/// A head that is registered by its name; the schema of its settings, a table without `name`, is that of its entry.
pub trait RegisteredHead: Send + Sync {
    /// Builds it.
    ///
    /// # Errors
    /// Settings that it does not have or cannot use.
    fn build(&self, opening: HeadOpening<'_, '_>) -> Result<Box<dyn Head>>;

    /// The parameter whose rows are the classes, below `classifier`: `weight`, `1.weight`.
    ///
    /// # Errors
    /// As of [`Self::build`].
    fn last_weight(&self, settings: OwnSettings<'_>) -> Result<String>;

    /// Whether it has a dropout, which `model.dropout` sets.
    fn has_dropout(&self) -> bool {
        false
    }
}

/// The parts that a head is built from.
pub struct HeadOpening<'b, 'a> {
    /// The place of its parameters, below `classifier`. Parameters that a weight file has there for other classes are
    /// initialised anew.
    pub builder: Builder<'b>,
    /// Its own settings.
    pub settings: OwnSettings<'a>,
    /// The stages of the backbone, with the channels that the attention leaves.
    pub stages: &'a [Stage],
    /// Channels of the vector that the backbone pools by itself, where it does.
    pub pooled: Option<usize>,
    /// Classes.
    pub classes: usize,
    /// `model.dropout`, in place of the head's own.
    pub dropout: Option<f64>,
}

impl HeadOpening<'_, '_> {
    /// Returns the channels of the last stage's map.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.stages.last().map_or(0, |stage| stage.channels)
    }
}

/// A head of one network.
pub trait Head: Send + Sync {
    /// Features to scores `[N, classes]`.
    ///
    /// # Errors
    /// Features of shapes that it cannot use.
    fn forward(&self, tape: &mut Tape, features: Features) -> Result<Value>;

    /// The stages whose maps it sees beside the last.
    fn stages(&self) -> Vec<StageId> {
        Vec::new()
    }
}
