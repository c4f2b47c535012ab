//! The base of a sweep over stages, as it was written: what its files, the environment and `--set` say, in one file.
//!
//! A resolved base of several stages would say their defaults, and the weights that each starts from, in the stages' own
//! tables, where no setting of the sweep at the top could reach them. It would say nothing of stages that do not run in it.

use std::path::Path;

use serde_json::{Map, Value};

use super::defaults::collected_header;
use super::extends::read_chain;
use super::layer::Layer;
use super::leftovers::leftovers;
use super::merge::{merge, to_json};
use super::overrides::Overrides;
use super::stages::{TABLE, without_stages};
use crate::Components;

/// Returns what the experiment `file` says together with what it extends and with `overrides`, as the base of a sweep whose
/// runs plan the same from it: the settings at the top as they were written, and those of each stage. `None`: its task has
/// no stages, or it cannot be read, which [`load`](crate::load) tells.
///
/// # Errors
/// A setting that TOML cannot say.
pub fn collected_base(
    file: &Path,
    overrides: &Overrides,
    components: &Components,
    schema: &Value,
) -> anyhow::Result<Option<String>> {
    let (mut layers, mut problems, _) = read_chain(file);
    for (layer, more) in [Layer::from_environment(&overrides.environment), Layer::from_flags(&overrides.set)] {
        layers.push(layer);
        problems.extend(more);
    }
    let leftovers = leftovers(schema);
    let top = without_stages(&layers, &[TABLE]);
    let mut whole = to_json(merge(top.iter().map(|layer| &layer.values), Some(&leftovers)));
    let task = whole.get("task").and_then(Value::as_str).and_then(|task| components.task(task));
    let Some(task) = task.filter(|task| problems.is_empty() && !task.stages().is_empty()) else { return Ok(None) };
    let mut tables = Map::new();
    for stage in task.stages() {
        let own: Vec<Layer> = layers.iter().filter_map(|layer| super::stages::of_stage(layer, stage.name)).collect();
        let own = to_json(merge(own.iter().map(|layer| &layer.values), Some(&leftovers)));
        if !own.is_empty() {
            tables.insert(stage.name.to_owned(), own.into());
        }
    }
    if !tables.is_empty() {
        whole.insert(TABLE.to_owned(), tables.into());
    }
    Ok(Some(format!("{}\n{}", collected_header(overrides.defaults), toml::to_string(&whole)?)))
}
