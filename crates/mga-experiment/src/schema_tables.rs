//! Tables and names whose settings depend on the component that they name, as schemas.

use std::collections::BTreeSet;

use mga_data::transforms::Transforms;
use mga_registry::{Entry, Kind};
use schemars::{Schema, json_schema};
use serde_json::{Map, Value, json};

use super::components::Alternative;
use super::older::OLDER_RELEASES;
use super::schema_closing::{close, embed, properties, take_definitions};
use super::schema_reading::choices;

/// The schema of a transform: its settings beside `op`.
pub(super) fn transform(entry: &Entry<Transforms>, definitions: &mut Map<String, Value>) -> Value {
    let none = || json_schema!({ "type": "object" });
    let settings = entry.schema.clone().unwrap_or_else(none);
    // Types that several transforms share are defined once; one of the same name that is another has a place of its own.
    let mut shared = Map::new();
    let mut table = embed(&settings, "transform", &mut shared);
    if shared.iter().any(|(name, own)| definitions.get(name).is_some_and(|known| known != own)) {
        shared.clear();
        table = embed(&settings, &format!("transform.{}", entry.name), &mut shared);
    }
    definitions.extend(shared);
    let mut properties = Map::new();
    properties.insert("op".to_owned(), json!({ "type": "string", "const": entry.name }));
    if let Some(Value::Object(own)) = table.get_mut("properties").map(Value::take) {
        properties.extend(own);
    }
    let mut required = vec![json!("op")];
    required.extend(table.get("required").and_then(Value::as_array).cloned().unwrap_or_default());
    json!({ "description": entry.about, "type": "object", "properties": properties, "required": required })
}

/// Writes into the schema of another kind of file that the key `key` names one of these components: by its name alone, or by
/// a table with `name` and its settings.
pub fn embed_choice<K: Kind>(schema: &mut Value, key: &str, entries: &[Entry<K>]) {
    let mut definitions = take_definitions(schema);
    let mut own = Map::new();
    let none = || json_schema!({ "type": "object" });
    let components = entries
        .iter()
        .map(|entry| (vec![entry.name.clone()], entry.about.clone(), entry.schema.clone().unwrap_or_else(none)));
    let mut choice = choice(key, components.collect(), &mut own);
    own.values_mut().for_each(close);
    definitions.extend(own);
    definitions.sort_keys();
    schema["definitions"] = Value::Object(definitions);
    let described = schema.pointer(&format!("/properties/{key}")).and_then(Value::as_object).cloned();
    for (name, value) in
        described.into_iter().flatten().filter(|(name, _)| ["default", "description"].contains(&&**name))
    {
        choice[name] = value;
    }
    schema["properties"][key] = choice;
}

/// The schema of a component's name, or of a table with its name and settings.
pub(super) fn choice(
    key: &str,
    components: Vec<(Vec<String>, String, Schema)>,
    definitions: &mut Map<String, Value>,
) -> Value {
    let named = components.iter().flat_map(|(names, about, _)| names.iter().map(move |name| (name, about)));
    let names: Vec<Value> =
        named.map(|(name, about)| json!({ "type": "string", "const": name, "description": about })).collect();
    let definition = format!("Choice.{key}");
    // Older releases knew the name alone, which is what a table without settings is written as.
    let name = json!({ "type": "string", OLDER_RELEASES: null });
    let table = json!({ "type": "object", "properties": { "name": name }, "required": ["name"] });
    definitions.insert(definition.clone(), table);
    name_alternatives(definitions, &definition, "name", components);
    json!({ "anyOf": [{ "oneOf": names }, { "$ref": format!("#/definitions/{definition}") }] })
}

/// Makes the table `definition` depend on the name under `tag`: one alternative for each set of names that share
/// settings, given as names, description and schema of the settings.
pub(super) fn name_alternatives(
    definitions: &mut Map<String, Value>,
    definition: &str,
    tag: &str,
    components: Vec<Alternative>,
) {
    let own: Vec<Value> = components
        .into_iter()
        .map(|(names, about, settings)| {
            let first = names.first().cloned().unwrap_or_default();
            let mut settings = embed(&settings, &format!("{definition}.{first}"), definitions);
            let mut properties = Map::new();
            properties.insert(tag.to_owned(), json!({ "type": "string", "enum": names }));
            if let Some(Value::Object(own)) = settings.get_mut("properties").map(Value::take) {
                properties.extend(own);
            }
            let mut required = vec![json!(tag)];
            if let Some(Value::Array(own)) = settings.get_mut("required").map(Value::take) {
                required.extend(own);
            }
            json!({ "description": about, "type": "object", "properties": properties, "required": required })
        })
        .collect();
    let Some(table) = definitions.get_mut(definition).and_then(Value::as_object_mut) else { return };
    if own.is_empty() {
        // Nothing is registered, so there is nothing to check against.
        return;
    }
    table.shift_remove("additionalProperties");
    let common: BTreeSet<String> = properties(table).keys().filter(|key| *key != tag).cloned().collect();
    let own = own.into_iter().map(|mut alternative| {
        // A key that all share means what it means everywhere.
        if let Some(properties) = alternative.get_mut("properties").and_then(Value::as_object_mut) {
            properties.retain(|key, _| !common.contains(key));
        }
        if let Some(required) = alternative.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|key| !key.as_str().is_some_and(|key| common.contains(key)));
        }
        alternative
    });
    table.insert("oneOf".to_owned(), own.collect());
}

/// Lets the table `definition` go without a `name`, which is then this one.
pub(super) fn leave_out(definitions: &mut Map<String, Value>, definition: &str, name: &str) {
    let common = definitions.get_mut(definition).and_then(|table| table.get_mut("properties")?.as_object_mut());
    // What the name may be is said by the alternatives; that it came later is said once.
    if let Some(common) =
        common.filter(|common| common.get("name").is_some_and(|name| name.get(OLDER_RELEASES).is_none()))
    {
        common.shift_remove("name");
    }
    let alternatives = definitions.get_mut(definition).and_then(|table| table.get_mut("oneOf")?.as_array_mut());
    for alternative in alternatives.into_iter().flatten().filter_map(Value::as_object_mut) {
        let names = alternative.get("properties").and_then(|own| own.get("name")).and_then(choices);
        if names.is_some_and(|names| names.contains(&name))
            && let Some(required) = alternative.get_mut("required").and_then(Value::as_array_mut)
        {
            required.retain(|key| key != "name");
            if required.is_empty() {
                alternative.shift_remove("required");
            }
        }
    }
}
