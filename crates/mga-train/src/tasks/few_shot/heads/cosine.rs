//! The cosine of pooled features and the mean of a class: a baseline on frozen features.

use mga_core::matching::cosine_scores;
use mga_core::tape::{Tape, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::head::{Episode, EpisodeHead};
use super::support::pooled;

/// Settings of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CosineSettings {
    /// What the cosine is multiplied by.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub(super) temperature: f64,
}

impl Default for CosineSettings {
    fn default() -> Self {
        Self { temperature: 12.5 }
    }
}

impl EpisodeHead for CosineSettings {
    fn scores(&self, tape: &mut Tape, episode: &Episode<'_>) -> mga_core::Result<Value> {
        let (prototypes, queries) = pooled(tape, episode)?;
        cosine_scores(tape, prototypes, queries, self.temperature)
    }
}
