//! A head: the last stages, each pooled for itself, side by side in front of one linear layer.

use std::sync::Arc;

use mga_core::nn::Linear;
use mga_core::tape::{Tape, Value};
use mga_core::{Error, Result, ops};
use mga_models::{Features, Head, HeadOpening, Heads, RegisteredHead, StageId, read_settings};
use mga_registry::{Entry, OwnSettings};
use schemars::JsonSchema;
use serde::Deserialize;

/// Returns the head that an experiment selects with `[model.head] name = "pyramid"`.
pub fn entry() -> Entry<Heads> {
    let about = "the last stages, each pooled for itself, and one linear layer";
    Entry::<Heads>::new("pyramid", about, Arc::new(Registered)).with_settings(schemars::schema_for!(PyramidSettings))
}

/// The settings, which stand beside `name` in `[model.head]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PyramidSettings {
    /// How many stages, counted from the last.
    #[schemars(range(min = 1))]
    stages: usize,
}

impl Default for PyramidSettings {
    fn default() -> Self {
        Self { stages: 2 }
    }
}

struct Registered;

impl RegisteredHead for Registered {
    fn build(&self, opening: HeadOpening<'_, '_>) -> Result<Box<dyn Head>> {
        let PyramidSettings { stages } = read_settings(opening.settings)?;
        let known = opening.stages.len();
        if stages == 0 || stages > known {
            let what = format!("expected 1 to {known}, the stages of the backbone; found {stages}");
            return Err(Error::setting(opening.settings.key("stages"), what));
        }
        let channels = opening.stages[known - stages..].iter().map(|stage| stage.channels).sum();
        let layer = Linear::new(opening.builder, channels, opening.classes)?;
        Ok(Box::new(Pyramid { stages: (known - stages..known).map(StageId).collect(), layer }))
    }

    fn last_weight(&self, _: OwnSettings<'_>) -> Result<String> {
        Ok("weight".to_owned())
    }
}

struct Pyramid {
    stages: Vec<StageId>,
    layer: Linear,
}

impl Head for Pyramid {
    fn forward(&self, tape: &mut Tape, features: Features) -> Result<Value> {
        let mut pooled = vec![];
        for &stage in &self.stages {
            pooled.push(ops::adaptive_avg_pool2d(tape, features.at(stage)?.clone(), (1, 1))?);
        }
        let together = ops::concat_channels(tape, &pooled)?;
        let together = ops::flatten(tape, together)?;
        self.layer.forward(tape, together)
    }

    fn stages(&self) -> Vec<StageId> {
        self.stages.clone()
    }
}
