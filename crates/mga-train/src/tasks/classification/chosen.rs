//! The method that trains the classifier of an experiment.

use std::sync::Arc;

use anyhow::Context;
use mga_experiment::{Components, Experiment, Loaded};
use serde_json::Value;

use crate::methods::{Method, Methods};

/// The name of the method, and its table.
pub(super) fn chosen(experiment: &Experiment) -> (&str, &Value) {
    let unnamed = if experiment.model.mask_guidance { "mga" } else { "plain" };
    experiment.named("method").unwrap_or((unnamed, &Value::Null))
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
