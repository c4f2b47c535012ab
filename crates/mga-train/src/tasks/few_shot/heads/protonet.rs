//! Prototypical networks: squared Euclidean distance to the mean of a class (Snell, Swersky, Zemel, NeurIPS 2017).

use mga_core::matching::euclidean_scores;
use mga_core::tape::{Tape, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::head::{Episode, EpisodeHead};
use super::support::pooled;

/// Settings of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProtonetSettings {
    /// What the negative squared distance is multiplied by.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub(super) temperature: f64,
}

impl Default for ProtonetSettings {
    fn default() -> Self {
        Self { temperature: 1.0 }
    }
}

impl EpisodeHead for ProtonetSettings {
    fn scores(&self, tape: &mut Tape, episode: &Episode<'_>) -> mga_core::Result<Value> {
        let (prototypes, queries) = pooled(tape, episode)?;
        euclidean_scores(tape, prototypes, queries, self.temperature)
    }
}
