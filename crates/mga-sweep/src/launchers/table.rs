//! `[launcher]` of a sweep file: the name of a launcher, and the keys of all launchers together, of which each reads its own.

use anyhow::Context;
use mga_experiment::document_schema;
use mga_registry::Entry;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::launcher::Launchers;

/// The key that names the launcher that starts the runs where the command line names none.
const NAME: &str = "name";

/// The name of the table's schema among the definitions of the sweep file's.
const DEFINITION: &str = "LauncherSettings";

/// Returns the schema of a launcher's settings, for [`super::Launcher::settings`].
#[must_use]
pub fn settings_schema<T: JsonSchema>() -> Option<Schema> {
    Schema::try_from(document_schema::<T>("launcher")).ok()
}

/// Reads a launcher's own settings from `[launcher]`. Keys of other launchers, which a table without `name` may have, are
/// passed over: the file was checked against the schemas of all.
///
/// # Errors
/// A value that the settings cannot hold.
pub fn settings<T: DeserializeOwned>(table: &Map<String, Value>) -> anyhow::Result<T> {
    serde_json::from_value(Value::Object(table.clone())).context("[launcher]: cannot be understood")
}

/// Returns the launcher that `[launcher]` names.
#[must_use]
pub fn named(table: &Map<String, Value>) -> Option<&str> {
    table.get(NAME).and_then(Value::as_str)
}

/// The table that names this launcher: it has no settings of others.
fn own(entry: &Entry<Launchers>, all: &Map<String, Value>) -> Value {
    let keys = entry.schema.as_ref().and_then(|schema| schema.get("properties")?.as_object());
    let known = keys.into_iter().flatten().filter_map(|(key, _)| Some((key.clone(), all.get(key)?.clone())));
    let mut properties = Map::from_iter([(NAME.to_owned(), json!({ "type": "string", "enum": [entry.name] }))]);
    properties.extend(known);
    json!({
        "type": "object", "description": entry.about, "properties": properties, "required": [NAME],
        "additionalProperties": false,
    })
}

/// The table that names no launcher, since the command line does: it may have the settings of any.
fn unnamed(launchers: &[Entry<Launchers>], all: &Map<String, Value>) -> Value {
    let names: Vec<&str> = launchers.iter().map(|entry| entry.name.as_str()).collect();
    let mut properties = all.clone();
    properties.insert(NAME.to_owned(), json!({ "type": "string", "not": { "enum": names } }));
    let about = "The command line says which launcher starts the runs.";
    json!({ "type": "object", "description": about, "properties": properties, "additionalProperties": false })
}

/// Writes the names and settings of these launchers into the schema of the sweep file. Of a key that two launchers share,
/// the schema of the first counts.
pub(crate) fn embed(schema: &mut Value, launchers: &[Entry<Launchers>]) {
    let (mut properties, mut definitions, mut defaults) = (Map::new(), Map::new(), Map::new());
    let known =
        launchers.iter().map(|entry| json!({ "type": "string", "const": entry.name, "description": entry.about }));
    let about = "Who starts the runs; --launcher says otherwise. Left out: this command, on this machine.";
    properties.insert(NAME.to_owned(), json!({ "description": about, "oneOf": known.collect::<Vec<_>>() }));
    for settings in launchers.iter().filter_map(|entry| entry.schema.as_ref()) {
        for (key, value) in settings.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if !properties.contains_key(key) {
                properties.insert(key.clone(), value.clone());
                let default = value.get("default").filter(|default| !default.is_null());
                defaults.extend(default.map(|default| (key.clone(), default.clone())));
            }
        }
        for (name, definition) in settings.get("definitions").and_then(Value::as_object).into_iter().flatten() {
            definitions.entry(name.clone()).or_insert_with(|| definition.clone());
        }
    }
    let mut alternatives: Vec<Value> = launchers.iter().map(|entry| own(entry, &properties)).collect();
    alternatives.push(unnamed(launchers, &properties));
    let name = properties.shift_remove(NAME);
    let about = "What the launcher of a sweep may use. What is left out is the launcher's to say.";
    let table = json!({
        "type": "object", "description": about, "properties": { (NAME): name }, "oneOf": alternatives,
    });
    definitions.insert(DEFINITION.to_owned(), table);
    if let Some(known) = schema.get_mut("definitions").and_then(Value::as_object_mut) {
        known.extend(definitions);
        known.sort_keys();
    }
    if let Some(launcher) = schema.get_mut("properties").and_then(|properties| properties.get_mut("launcher")) {
        *launcher = json!({
            "default": defaults,
            "description": launcher.get("description").cloned().unwrap_or_default(),
            "allOf": [{ "$ref": format!("#/definitions/{DEFINITION}") }],
        });
    }
}
