//! Settings whose schema carries a mark.

use serde_json::Value;

use super::schema_reading::{alternative, array, resolve};

/// Returns the settings of an experiment in JSON whose schema carries the extension `mark`, as keys from the top:
/// `data.mask_root`. `schema` is [`experiment_schema`](super::experiment_schema) of the components that the experiment was
/// loaded with.
#[must_use]
pub fn marked_settings(schema: &Value, experiment: &Value, mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    marked(schema, schema, experiment, ("", mark), &mut found);
    found
}

fn marked(root: &Value, schema: &Value, value: &Value, (at, mark): (&str, &str), found: &mut Vec<String>) {
    let schema = resolve(root, schema);
    for part in array(schema, "allOf").chain(array(schema, "anyOf")) {
        marked(root, part, value, (at, mark), found);
    }
    let Some(table) = value.as_object() else { return };
    let alternative = alternative(root, schema, table).and_then(Result::ok);
    let parts = [Some(schema), alternative].into_iter().flatten();
    let properties = parts.flat_map(|part| part.get("properties").and_then(Value::as_object).into_iter().flatten());
    for (key, schema) in properties.filter(|(_, schema)| schema.is_object()) {
        let Some(inner) = table.get(key) else { continue };
        let key = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        marked(root, schema, inner, (&key, mark), found);
        if schema.get(mark).is_some() && !found.contains(&key) {
            found.push(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{components, experiment_schema};
    use super::*;

    #[test]
    fn paths_of_the_data_set_at_hand_are_found() {
        let schema = experiment_schema(&components::bare());
        let of = |data: Value| marked_settings(&schema, &json!({ "data": data }), "x-path");
        assert_eq!(of(json!({ "dataset": "table", "file": "a.csv", "fold": "0.1" })), ["data.file"]);
        assert_eq!(of(json!({ "dataset": "mganet", "labels": "a", "mask_folder": "b" })).len(), 2);
        assert!(of(json!({ "dataset": "leaves", "size": 16 })).is_empty());
    }
}
