//! The experiment file as typed settings: one struct a table, in files of the tables' names. A table that another crate acts
//! on is that crate's struct.
//!
//! The keys are a contract with everybody who keeps experiment files: add to them, do not rename them.

use mga_core::optim::{OptimiserSettings, ScheduleSettings};
use mga_registry::Choice;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::data::Data;
use super::defaults::{Defaults, base_header, resolved_header};
use super::evaluation::Evaluation;
use super::model::Model;
use super::objective::Objective;
use super::schema_reading::without_nulls;
use super::training::Training;

/// A complete experiment: what `mga train` runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Experiment {
    /// A short name for tables and pictures; left out: the file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the experiment shows, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the model learns.
    #[serde(default = "classification")]
    #[schemars(schema_with = "super::schema::task")]
    pub task: String,
    /// The seed of everything random in the run, except what has a seed of its own.
    #[serde(default)]
    pub seed: u64,
    /// The device: `auto`, `cpu`, `cuda` or `cuda:N`. `auto` reports what it uses; nothing falls back silently.
    #[serde(default = "auto")]
    pub device: String,
    /// Threads for computing; 0 uses all cores. Results do not depend on it.
    #[serde(default)]
    pub threads: usize,
    /// The images, their masks, and the preprocessing of both.
    pub data: Data,
    /// The network, the weights it starts from, and its attention.
    pub model: Model,
    /// The loss.
    #[serde(default)]
    pub objective: Objective,
    /// The optimiser of the parameters.
    #[serde(default)]
    pub optimiser: OptimiserSettings,
    /// How long to train, and the learning rate over time.
    #[serde(default)]
    pub schedule: ScheduleSettings,
    /// The training loop.
    #[serde(default)]
    pub train: Training,
    /// When to evaluate, and which checkpoint to report.
    #[serde(default)]
    pub eval: Evaluation,
    /// Tables and lists of the kinds that other crates define ([`crate::TableKind`]), already checked against their schemas.
    #[serde(flatten)]
    #[schemars(skip)]
    pub tables: serde_json::Map<String, serde_json::Value>,
}

fn classification() -> String {
    "classification".to_owned()
}

fn auto() -> String {
    "auto".to_owned()
}

impl Experiment {
    /// Returns the name and the whole table of the component that a table such as `method` names; `None`: the experiment
    /// has no such table.
    #[must_use]
    pub fn named(&self, table: &str) -> Option<(&str, &serde_json::Value)> {
        let table = self.tables.get(table)?;
        Some((table.get("name")?.as_str()?, table))
    }

    /// Returns the components that a list such as `trackers` names; `None`: the experiment has no such list.
    #[must_use]
    pub fn list(&self, key: &str) -> Option<Vec<Choice>> {
        serde_json::from_value(self.tables.get(key)?.clone()).ok()
    }

    /// Returns the experiment as TOML, every setting written out, defaults included: loading it gives an equal
    /// experiment, whatever the defaults of a later version are.
    ///
    /// # Errors
    /// Fails where a setting cannot be written as TOML; no experiment that came through [`super::load`] has one.
    pub fn resolved_toml(&self) -> anyhow::Result<String> {
        self.resolved_with(Defaults::New)
    }

    /// Writes the resolved experiment that was loaded with these defaults, as a run of a sweep.
    ///
    /// # Errors
    /// As [`Experiment::resolved_toml`].
    pub fn resolved_with(&self, defaults: Defaults) -> anyhow::Result<String> {
        self.written(&resolved_header(defaults))
    }

    /// Writes the resolved experiment as the base of a sweep, whose runs have these defaults.
    ///
    /// # Errors
    /// As [`Experiment::resolved_toml`].
    pub fn base_toml(&self, defaults: Defaults) -> anyhow::Result<String> {
        self.written(&base_header(defaults))
    }

    fn written(&self, header: &str) -> anyhow::Result<String> {
        // By way of JSON, whose maps keep the order of the fields.
        let body = toml::to_string(&without_nulls(serde_json::to_value(self)?).unwrap_or_default())?;
        Ok(format!("{header}\n{body}"))
    }
}
