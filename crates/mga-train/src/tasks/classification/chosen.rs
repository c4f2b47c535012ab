//! The method that trains the classifier of an experiment.

use std::sync::Arc;

use anyhow::Context;
use mga_experiment::{Components, Experiment, Loaded};
use mga_registry::Registry;
use serde_json::{Map, Value};

use crate::methods::{Method, Methods, mga, plain};

/// The name of the method, and its table.
pub(super) fn chosen(experiment: &Experiment) -> (&str, &Value) {
    experiment.named("method").unwrap_or((unnamed(experiment), &Value::Null))
}

/// The method of an experiment that names none.
fn unnamed(experiment: &Experiment) -> &'static str {
    if experiment.model.mask_guidance { mga::NAME } else { plain::NAME }
}

/// Whether the method that the table `[method]` names, with its settings, is that of the same experiment without the table.
pub(super) fn is_default(experiment: &Experiment, (name, table): (&str, &Value), kinds: &Registry) -> bool {
    let own: Map<String, Value> = table.as_object().cloned().unwrap_or_default();
    let own = own.into_iter().filter(|(key, _)| key != "name").collect();
    let entry = kinds.get::<Methods>(name);
    name == unnamed(experiment) && entry.is_some_and(|entry| entry.without_defaults(&own).is_empty())
}

/// The method of an experiment that was loaded, and its table.
///
/// # Errors
/// No such method: of an experiment that was loaded with other components.
pub(super) fn method_of<'a>(
    loaded: &'a Loaded,
    components: &'a Components,
) -> anyhow::Result<(&'a Arc<dyn Method>, &'a Value)> {
    let (name, settings) = chosen(&loaded.experiment);
    let entry = components.kinds.get::<Methods>(name).with_context(|| format!("no method `{name}` is registered"))?;
    Ok((&entry.item, settings))
}
