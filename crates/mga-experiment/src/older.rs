//! Settings that were added later, and what older releases did without them.
//!
//! The schema of such a setting has [`OLDER_RELEASES`]: the value that releases without the setting behaved as, null where
//! that is to leave it out. A run whose setting has that value is the run that it was before the setting came, so its
//! identity is taken [`without_later_settings`].

use mga_registry::same_value;
use serde_json::Value;

use super::schema_reading::{alternative, array, resolve};

/// The extension of a setting's schema that holds the value older releases behaved as; null: as though it is left out.
///
/// A struct of settings says so with `#[schemars(extend("x-older-releases" = false))]`.
pub const OLDER_RELEASES: &str = "x-older-releases";

/// Removes every setting that has the value older releases behaved as from an experiment in JSON. `schema` is
/// [`experiment_schema`](super::experiment_schema) of the components that the experiment was loaded with.
pub fn without_later_settings(schema: &Value, experiment: &mut Value) {
    remove_later(schema, schema, experiment);
}

fn remove_later(root: &Value, schema: &Value, value: &mut Value) {
    let schema = resolve(root, schema);
    for part in array(schema, "allOf").chain(array(schema, "anyOf")) {
        remove_later(root, part, value);
    }
    match value {
        Value::Object(table) => {
            let alternative = alternative(root, schema, table).and_then(Result::ok);
            let parts = [Some(schema), alternative].into_iter().flatten();
            let properties =
                parts.flat_map(|part| part.get("properties").and_then(Value::as_object).into_iter().flatten());
            let mut known = Vec::new();
            for (key, schema) in properties.filter(|(_, schema)| schema.is_object()) {
                known.push(key);
                let Some(inner) = table.get_mut(key) else { continue };
                // What is in it first: a table that was added later may itself have grown since.
                remove_later(root, schema, inner);
                if schema.get(OLDER_RELEASES).is_some_and(|older| same_value(older, inner)) {
                    table.shift_remove(key);
                }
            }
            // Tables whose keys are names: what stands under each.
            if let Some(named) = schema.get("additionalProperties").filter(|named| named.is_object()) {
                let others = table.iter_mut().filter(|(key, _)| !known.contains(key));
                others.for_each(|(_, inner)| remove_later(root, named, inner));
            }
        }
        Value::Array(elements) => {
            if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
                elements.iter_mut().for_each(|element| remove_later(root, items, element));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_as_older_releases_had_them_are_removed_wherever_they_stand() {
        let schema = json!({
            "properties": {
                "rate": { "type": "number", "x-older-releases": 1 },
                "table": { "x-older-releases": { "first": 1 }, "allOf": [{ "$ref": "#/definitions/Table" }] },
                "steps": { "items": { "$ref": "#/definitions/Step" } },
                "stages": { "additionalProperties": { "$ref": "#/definitions/Table" } },
            },
            "definitions": {
                "Table": { "properties": { "first": {}, "second": { "x-older-releases": null } } },
                "Step": { "oneOf": [
                    { "properties": { "op": { "const": "a" }, "x": { "x-older-releases": 0 } } },
                    { "properties": { "op": { "const": "b" }, "x": {} } },
                ] },
            },
        });
        let without = |mut value: Value| {
            without_later_settings(&schema, &mut value);
            value
        };
        assert_eq!(without(json!({ "rate": 1.0, "table": { "first": 1, "second": null } })), json!({}));
        let changed = json!({ "rate": 2.0, "table": { "first": 1, "second": 3 } });
        assert_eq!(without(changed.clone()), changed);
        // A setting of one component is none of another's.
        assert_eq!(
            without(json!({ "steps": [{ "op": "a", "x": 0 }, { "op": "a", "x": 1 }, { "op": "b", "x": 0 }] })),
            json!({ "steps": [{ "op": "a" }, { "op": "a", "x": 1 }, { "op": "b", "x": 0 }] })
        );
        assert_eq!(without(json!({ "stages": { "s": { "second": null } } })), json!({ "stages": { "s": {} } }));
    }
}
