//! The part of the schema of the experiment file that stages have: their tables, and the choice of those that run.

use serde_json::{Map, Value, json};

use super::older::OLDER_RELEASES;
use super::schema_reading::{array, resolve};
use crate::Components;

/// Adds `stages` and `run_stages` to the schema of the file, where any task has stages. `root` is the file's table, and
/// `definitions` what it refers to.
pub(super) fn add(root: &mut Value, definitions: &mut Map<String, Value>, components: &Components) {
    let stages = components.tasks.iter().flat_map(|task| task.stages().iter().map(|stage| (task.name(), stage)));
    let mut tables = Map::new();
    let mut names: Vec<Value> = Vec::new();
    for (task, stage) in stages {
        let about = format!("task \"{task}\": {}", stage.about);
        let known = tables.entry(stage.name).or_insert_with(|| {
            names.push(json!(stage.name));
            json!({ "description": "", "allOf": [{ "$ref": "#/definitions/Stage" }] })
        });
        // Tasks can call a stage alike.
        let before = known["description"].as_str().filter(|text| !text.is_empty()).map(|text| format!("{text} "));
        known["description"] = json!(before.unwrap_or_default() + &about);
    }
    if tables.is_empty() {
        return;
    }
    let all = json!({ "definitions": definitions.clone() });
    let own = root.get("properties").and_then(Value::as_object).into_iter().flatten();
    let own = own.filter_map(|(key, schema)| Some((key.clone(), part(&all, schema)?)));
    let stage = json!({
        "description": "Settings of one stage, over those at the top.",
        "type": "object", "properties": own.collect::<Map<_, _>>(), "additionalProperties": false,
    });
    definitions.insert("Stage".to_owned(), stage);
    let Some(properties) = root.get_mut("properties").and_then(Value::as_object_mut) else { return };
    let about = "Settings of single stages, by the stage's name: tables that are laid over those at the top.";
    let table = json!({
        "type": "object", "description": about, OLDER_RELEASES: null, "properties": tables, "additionalProperties": false,
    });
    properties.insert("stages".to_owned(), table);
    let about = "Which stages run, in the task's order; left out: all.";
    let names = json!({ "type": "string", "enum": names });
    properties.insert(
        "run_stages".to_owned(),
        json!({ "type": "array", "description": about, OLDER_RELEASES: null, "items": names, "minItems": 1 }),
    );
}

/// A table of the file as a stage has it: with the keys of every component, none of them required. `None`: it is no table.
fn part(all: &Value, schema: &Value) -> Option<Value> {
    let table = resolve(all, schema);
    let parts = || [table].into_iter().chain(array(table, "oneOf").map(|part| resolve(all, part)));
    let mut properties = Map::new();
    for part in parts().filter_map(|part| part.get("properties")?.as_object()) {
        for (key, value) in part.iter().filter(|(_, value)| !value.is_boolean()) {
            match properties.get_mut(key) {
                None => drop(properties.insert(key.clone(), value.clone())),
                // The name of a component, of which each alternative lists its own.
                Some(known) => join(known, value),
            }
        }
    }
    if properties.is_empty() {
        return None;
    }
    let about = schema.get("description").or_else(|| table.get("description")).cloned().unwrap_or_default();
    Some(json!({ "description": about, "type": "object", "properties": properties, "additionalProperties": false }))
}

/// Adds the names that another alternative lists, or says only the type where alternatives differ in more.
fn join(known: &mut Value, other: &Value) {
    if known == other {
        return;
    }
    let names = |value: &Value| -> Option<Vec<Value>> {
        let one = value.get("const").map(|only| vec![only.clone()]);
        one.or_else(|| value.get("enum")?.as_array().cloned())
    };
    if let (Some(mut all), Some(more)) = (names(known), names(other)) {
        all.extend(more);
        *known = json!({ "type": "string", "enum": all });
    } else if known.get("type") != other.get("type") {
        *known = json!({ "description": known.get("description") });
    }
}
