//! Component schemas made part of one schema, and tables closed: keys that are not listed are faults.

use schemars::Schema;
use schemars::transform::{RemoveRefSiblings, ReplacePrefixItems, ReplaceUnevaluatedProperties, Transform};
use serde_json::{Map, Value};

/// A component's schema as part of this one: in draft-07, its definitions moved to `definitions` under names that
/// begin with `prefix`.
pub(super) fn embed(schema: &Schema, prefix: &str, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = schema.clone();
    ReplaceUnevaluatedProperties::default().transform(&mut schema);
    RemoveRefSiblings::default().transform(&mut schema);
    ReplacePrefixItems::default().transform(&mut schema);
    let mut value = schema.to_value();
    let inner = take_definitions(&mut value);
    if let Some(object) = value.as_object_mut() {
        object.shift_remove("$schema");
        object.shift_remove("title");
    }
    redirect(&mut value, prefix);
    for (name, mut definition) in inner {
        redirect(&mut definition, prefix);
        definitions.insert(format!("{prefix}.{name}"), definition);
    }
    value
}

/// Writes out alternatives that are a name beside a reference, as schemars derives them of settings that do not deny
/// unknown fields: closed, the two parts would each refuse the other's keys.
pub(super) fn inline_alternatives(schema: &mut Value, definitions: &Map<String, Value>) {
    let alternatives = schema.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten();
    for alternative in alternatives.filter_map(Value::as_object_mut).filter(|part| part.contains_key("properties")) {
        for part in alternative.shift_remove("allOf").as_ref().and_then(Value::as_array).into_iter().flatten() {
            let name =
                part.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix("#/definitions/"));
            let Some(referred) = name.and_then(|name| definitions.get(name)) else { continue };
            for key in ["properties", "required"] {
                match (alternative.get_mut(key), referred.get(key)) {
                    (Some(Value::Object(own)), Some(Value::Object(more))) => {
                        own.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
                    }
                    (Some(Value::Array(own)), Some(Value::Array(more))) => own.extend(more.iter().cloned()),
                    _ => {}
                }
            }
        }
    }
}

pub(super) fn take_definitions(schema: &mut Value) -> Map<String, Value> {
    let mut all = Map::new();
    if let Some(object) = schema.as_object_mut() {
        for key in ["$defs", "definitions"] {
            if let Some(Value::Object(definitions)) = object.shift_remove(key) {
                all.extend(definitions);
            }
        }
    }
    all
}

fn redirect(value: &mut Value, prefix: &str) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) =
                            target.strip_prefix("#/$defs/").or_else(|| target.strip_prefix("#/definitions/"))
                        {
                            *target = format!("#/definitions/{prefix}.{name}");
                        }
                    }
                    other => redirect(other, prefix),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| redirect(element, prefix)),
        _ => {}
    }
}

/// Fits schemars' output to TOML, and closes every table that does not say it is open; a table with alternatives leaves that to them, each of which also
/// lists the keys that all share.
pub(super) fn close(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    // TOML has no null: what is optional is left out.
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            schema["type"] = only.clone();
        }
    }
    // Doc comments are wrapped for the source, not for editors.
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema.get_mut(key).and_then(Value::as_array_mut) {
            parts.iter_mut().for_each(close);
        }
    }
    for key in ["items", "additionalProperties"] {
        schema.get_mut(key).into_iter().for_each(close);
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
    }
    if !schema.contains_key("properties") {
        return;
    }
    let common: Vec<String> = properties(schema).keys().cloned().collect();
    if let Some(alternatives) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        for alternative in alternatives {
            let Some(properties) = alternative.get_mut("properties").and_then(Value::as_object_mut) else { continue };
            for key in &common {
                properties.entry(key.as_str()).or_insert(Value::Bool(true));
            }
            alternative["additionalProperties"] = Value::Bool(false);
        }
        schema.shift_remove("additionalProperties");
    } else {
        schema.entry("additionalProperties").or_insert(Value::Bool(false));
    }
}

pub(super) fn properties(schema: &Map<String, Value>) -> Map<String, Value> {
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}
