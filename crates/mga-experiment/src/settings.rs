//! The experiment file as typed settings: one struct a table, in files of the tables' names. A table that another crate acts
//! on is that crate's struct.
//!
//! The keys are a contract with everybody who keeps experiment files: add to them, do not rename them.

use anyhow::Context;
use mga_core::optim::{OptimiserSettings, ScheduleSettings};
use mga_registry::Choice;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::data::Data;
use super::evaluation::Evaluation;
use super::model::Model;
use super::objective::Objective;
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
    /// Which stages of the task run, in the task's order. An experiment as it is loaded is that of one stage; it is empty where
    /// the task has no stages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub run_stages: Vec<String>,
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

    /// Returns the stage that this is the experiment of; `None`: its task has no stages.
    #[must_use]
    pub fn stage(&self) -> Option<&str> {
        match self.run_stages.as_slice() {
            [stage] => Some(stage),
            _ => None,
        }
    }

    /// Reads a table of a task's own ([`crate::TaskRules::own_tables`]); one that is not there is read as an empty one.
    ///
    /// # Errors
    /// The settings are of another type than the table's schema says.
    pub fn own<T: DeserializeOwned>(&self, table: &str) -> anyhow::Result<T> {
        let value = self.tables.get(table).cloned().unwrap_or_else(|| serde_json::json!({}));
        serde_json::from_value(value).with_context(|| format!("the table [{table}] cannot be read"))
    }
}
