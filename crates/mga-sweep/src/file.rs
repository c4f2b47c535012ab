//! The sweep file as typed settings.
//!
//! The keys are a contract with everybody who keeps sweep files: add to them, do not rename them.

use mga_registry::Choice;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A sweep: one experiment, run under many settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepFile {
    /// A short name for tables and folders; left out: the file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub name: Option<String>,
    /// What the sweep shows, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The experiment file that every run builds on, relative to this file.
    #[schemars(length(min = 1))]
    pub base: String,
    /// The arm that the others are compared with: settings that it alone has, such as { "model.attention" = "none" }, or
    /// the name of a variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// How the cells are found: all combinations, or draws from the ranges as well.
    #[serde(default = "grid")]
    #[schemars(with = "String")]
    pub search: Choice,
    /// Settings, each with the list of its values. Every combination is run, but for those that are excluded. Keys that end
    /// in `seed` or `fold` repeat an arm; all others make one.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(extend("additionalProperties" = true))]
    pub axes: Map<String, Value>,
    /// Settings whose values go together: lists of one length, the first of each with the first of the others and so on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "object", "additionalProperties": true }))]
    pub linked: Vec<Map<String, Value>>,
    /// Combinations that are not run: settings, or `variant`, that all have to agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "object", "additionalProperties": true }))]
    pub exclude: Vec<Map<String, Value>>,
    /// Named sets of settings; each is run with every combination of the axes.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(extend("additionalProperties" = { "type": "object", "additionalProperties": true }))]
    pub variants: Map<String, Value>,
    /// With a search that draws, such as "random" or "tpe": settings whose values are drawn, such as
    /// "optimiser.learning_rate" = { log_uniform = [1e-4, 1e-1] }.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(extend("additionalProperties" = true))]
    pub ranges: Map<String, Value>,
    /// How much a search that draws may run.
    #[serde(default)]
    pub budget: Budget,
    /// The launcher of the runs, and its settings, such as the resources of a run on SLURM.
    #[serde(default)]
    pub launcher: Map<String, Value>,
}

/// The arm that others are compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Baseline {
    /// A variant.
    Variant(String),
    /// Settings that only its experiment has.
    #[schemars(extend("additionalProperties" = true))]
    Settings(Map<String, Value>),
}

/// The search that is taken where none is named.
pub(crate) fn grid() -> Choice {
    Choice::from("grid")
}

/// How much a search that draws may run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Runs in all; a draw takes as many as there are combinations of axes and variants. 0: not set.
    pub runs: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// With `tpe`: draws before the first that learns from scores.
    #[schemars(range(min = 1))]
    pub startup: usize,
    /// With `tpe`: draws made at a time. They learn from all rounds before, and their runs may go on at once; a search is the
    /// same however many runs go on at once.
    #[schemars(range(min = 1))]
    pub parallel: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { runs: 0, seed: 0, startup: 8, parallel: 1 }
    }
}
