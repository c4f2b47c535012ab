//! `linear`: global average pool, dropout, one linear layer.

use std::sync::Arc;

use mga_core::nn::Linear;
use mga_core::tape::{Tape, Value};
use mga_core::{Result, ops};
use mga_registry::{Entry, OwnSettings};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::features::Features;
use crate::head::{Head, HeadOpening, Heads, RegisteredHead};
use crate::settings::read_settings;

pub(super) fn entry() -> Entry<Heads> {
    let about = "global average pool, dropout and one linear layer";
    Entry::<Heads>::new("linear", about, Arc::new(Registered)).with_settings(schemars::schema_for!(LinearSettings))
}

/// The settings of `linear`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct LinearSettings {
    /// Rectify before pooling, as torchvision's DenseNets do.
    rectify: bool,
    /// Dropout before the linear layer.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    dropout: f64,
    /// The name of the linear layer below `classifier`, as weight files have it; empty: `classifier` itself.
    layer: String,
}

struct Registered;

impl RegisteredHead for Registered {
    fn build(&self, opening: HeadOpening<'_, '_>) -> Result<Box<dyn Head>> {
        let LinearSettings { rectify, dropout, layer } = read_settings(opening.settings)?;
        let (channels, classes) = (opening.channels(), opening.classes);
        let dropout = opening.dropout.unwrap_or(dropout);
        let mut builder = opening.builder;
        let layer = Linear::new(if layer.is_empty() { builder } else { builder.pp(layer) }, channels, classes)?;
        Ok(Box::new(LinearHead { rectify, dropout, layer }))
    }

    fn last_weight(&self, settings: OwnSettings<'_>) -> Result<String> {
        let LinearSettings { layer, .. } = read_settings(settings)?;
        Ok(if layer.is_empty() { "weight".to_owned() } else { format!("{layer}.weight") })
    }

    fn has_dropout(&self) -> bool {
        true
    }
}

struct LinearHead {
    rectify: bool,
    dropout: f64,
    layer: Linear,
}

impl Head for LinearHead {
    fn forward(&self, tape: &mut Tape, features: Features) -> Result<Value> {
        let features = features.into_last()?;
        let x = if self.rectify { ops::relu(tape, features)? } else { features };
        let x = ops::adaptive_avg_pool2d(tape, x, (1, 1))?;
        let x = ops::flatten(tape, x)?;
        let x = ops::dropout(tape, x, self.dropout)?;
        self.layer.forward(tape, x)
    }
}
