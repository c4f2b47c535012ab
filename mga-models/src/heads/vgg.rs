//! `vgg`: three linear layers on a 7 x 7 pool, torchvision's classifier of a VGG.

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
    let about = "7 x 7 pool and three linear layers of 4096, 4096 and the classes, with dropout behind the first two";
    Entry::<Heads>::new("vgg", about, Arc::new(Registered)).with_settings(schemars::schema_for!(VggSettings))
}

/// The settings of `vgg`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct VggSettings {
    /// Dropout behind the first two layers.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    dropout: f64,
}

impl Default for VggSettings {
    fn default() -> Self {
        Self { dropout: 0.5 }
    }
}

struct Registered;

impl RegisteredHead for Registered {
    fn build(&self, opening: HeadOpening<'_, '_>) -> Result<Box<dyn Head>> {
        let VggSettings { dropout } = read_settings(opening.settings)?;
        let (channels, classes) = (opening.channels(), opening.classes);
        let dropout = opening.dropout.unwrap_or(dropout);
        let mut builder = opening.builder;
        let layers = [
            Linear::new(builder.pp(0), channels * 49, 4096)?,
            Linear::new(builder.pp(3), 4096, 4096)?,
            Linear::new(builder.pp(6), 4096, classes)?,
        ];
        Ok(Box::new(VggHead { dropout, layers }))
    }

    fn last_weight(&self, _: OwnSettings<'_>) -> Result<String> {
        Ok("6.weight".to_owned())
    }

    fn has_dropout(&self) -> bool {
        true
    }
}

struct VggHead {
    dropout: f64,
    layers: [Linear; 3],
}

impl Head for VggHead {
    fn forward(&self, tape: &mut Tape, features: Features) -> Result<Value> {
        let x = ops::adaptive_avg_pool2d(tape, features.into_last()?, (7, 7))?;
        let mut x = ops::flatten(tape, x)?;
        for layer in &self.layers[..2] {
            x = layer.forward(tape, x)?;
            x = ops::relu(tape, x)?;
            x = ops::dropout(tape, x, self.dropout)?;
        }
        self.layers[2].forward(tape, x)
    }
}
