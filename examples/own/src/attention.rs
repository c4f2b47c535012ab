//! An attention: features count more inside the mask. Unlike that of MGA it learns nothing, and needs masks for ever.

use std::sync::Arc;

use mga_core::ops::{self, Gate};
use mga_core::tape::Tape;
use mga_core::{Error, Result};
use mga_models::{Attended, Attention, AttentionOpening, Attentions, Features, RegisteredAttention, read_settings};
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::Deserialize;

/// Returns the attention that an experiment selects with `model.attention = "inside"`, or
/// `{ name = "inside", outside = 0.2 }`.
pub fn entry() -> Entry<Attentions> {
    let about = "features as they are inside the mask, and weaker outside; needs a mask with every image";
    Entry::<Attentions>::new("inside", about, Arc::new(Registered)).with_settings(schemars::schema_for!(InsideSettings))
}

/// The settings, which stand beside `name` in `model.attention`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct InsideSettings {
    /// What features outside the mask are multiplied by.
    #[schemars(range(min = 0.0, max = 1.0))]
    outside: f64,
}

impl Default for InsideSettings {
    fn default() -> Self {
        Self { outside: 0.5 }
    }
}

struct Registered;

impl RegisteredAttention for Registered {
    fn build(&self, opening: AttentionOpening<'_, '_>) -> Result<Option<Box<dyn Attention>>> {
        let InsideSettings { outside } = read_settings(opening.settings)?;
        Ok(Some(Box::new(Inside { outside })))
    }

    fn gives_map(&self) -> bool {
        false
    }

    fn needs_masks(&self) -> bool {
        true
    }
}

struct Inside {
    outside: f64,
}

impl Attention for Inside {
    fn forward(&self, tape: &mut Tape, features: Features) -> Result<Attended> {
        let masks = features.masks.clone().ok_or_else(|| Error::shape("inside", "there are no masks"))?;
        let last = features.last()?.clone();
        let (_, _, h, w) = last.dims4()?;
        let masks = ops::adaptive_avg_pool2d(tape, masks, (h, w))?;
        let gate = Gate::Sum { plain: self.outside, gated: 1.0 - self.outside };
        let attended = ops::attend(tape, last, masks, gate)?;
        Ok(Attended { features: features.with_last(attended), map: None })
    }
}
