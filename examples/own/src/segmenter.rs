//! A segmenter: a rule that finds what is bright. It has no weights.

use std::sync::Arc;

use candle_core::Tensor;
use mga_core::Result;
use mga_models::{RegisteredRule, RegisteredSegmenter, Segmenter, Segmenters, read_settings};
use mga_registry::{Entry, OwnSettings};
use schemars::JsonSchema;
use serde::Deserialize;

/// Returns the segmenter that an experiment selects with `data.masks.source = "bright"`.
pub fn entry() -> Entry<Segmenters> {
    let rule = Arc::new(RegisteredSegmenter::Rule(Box::new(Registered)));
    let entry = Entry::<Segmenters>::new("bright", "what is brighter than a level; no weights", rule);
    entry.with_settings(schemars::schema_for!(BrightSettings))
}

/// The settings, which are `data.masks.segmenter.options`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct BrightSettings {
    /// Foreground is at least as bright, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    level: f64,
}

impl Default for BrightSettings {
    fn default() -> Self {
        Self { level: 0.5 }
    }
}

struct Registered;

impl RegisteredRule for Registered {
    fn build(&self, settings: OwnSettings<'_>) -> Result<Box<dyn Segmenter>> {
        Ok(Box::new(Bright(read_settings(settings)?)))
    }
}

struct Bright(BrightSettings);

impl Segmenter for Bright {
    fn masks(&self, images: &Tensor) -> Result<Tensor> {
        Ok(images.mean_keepdim(1)?.ge(self.0.level)?.to_dtype(images.dtype())?)
    }
}
