//! The settings of a component that go when a layer names another in its place.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::merge::{Leftovers, tag};
use super::schema_reading::{choices, resolve};

/// Which keys of weaker layers go when a layer names another component: those that only the old one knows. Of
/// `[optimiser]` everything goes: a learning rate for one rule means nothing to another.
pub(super) fn leftovers(schema: &Value) -> Leftovers {
    let schema = schema.clone();
    Arc::new(move |table, old, new| {
        let tag = tag(table);
        let (Some(old), Some(new)) = (own_keys(&schema, table, tag, old), own_keys(&schema, table, tag, new)) else {
            // A name that nobody knows is a fault of its own; the rest stays as it is.
            return Vec::new();
        };
        if table == "optimiser" {
            return old.into_iter().chain(["learning_rates".to_owned()]).collect();
        }
        old.difference(&new).cloned().collect()
    })
}

/// The keys of `table` that belong to the component called `name`.
fn own_keys(schema: &Value, table: &str, tag: &str, name: &str) -> Option<BTreeSet<String>> {
    let mut base = schema;
    for key in table.split('.') {
        base = resolve(schema, base.get("properties")?.get(key)?);
        // A table that may be left out.
        let inner = base.get("anyOf").and_then(Value::as_array);
        base = inner
            .and_then(|any| any.iter().find(|part| part.get("$ref").is_some()))
            .map_or(base, |part| resolve(schema, part));
    }
    let alternatives = base.get("oneOf")?.as_array()?;
    let named = |alternative: &&Value| {
        let names = alternative.pointer(&format!("/properties/{tag}")).map(choices);
        names.flatten().is_some_and(|names| names.contains(&name))
    };
    let other = |alternative: &&Value| alternative.pointer(&format!("/properties/{tag}/not")).is_some();
    let alternative = alternatives.iter().find(named).or_else(|| alternatives.iter().find(other))?;
    let keys = alternative.get("properties")?.as_object()?;
    Some(
        keys.iter()
            .filter(|(key, value)| *key != tag && **value != Value::Bool(true))
            .map(|(k, _)| k.clone())
            .collect(),
    )
}
