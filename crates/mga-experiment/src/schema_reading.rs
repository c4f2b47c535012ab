//! Reading a JSON schema: references, names to choose from, alternatives by name, types and defaults.

use serde_json::{Map, Value};

/// Writes the schema's defaults into `value` wherever a setting is absent and has one, so that what components fill
/// in for themselves is on record.
pub(super) fn fill_defaults(root: &Value, schema: &Value, value: &mut Value) {
    let schema = resolve(root, schema);
    for part in array(schema, "allOf") {
        fill_defaults(root, part, value);
    }
    match value {
        Value::Object(table) => {
            let alternative = alternative(root, schema, table).and_then(Result::ok);
            for part in [Some(schema), alternative].into_iter().flatten() {
                for (key, schema) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
                    if let Some(value) = table.get_mut(key) {
                        fill_defaults(root, schema, value);
                    } else if let Some(default) = schema.get("default").cloned().and_then(without_nulls) {
                        table.insert(key.clone(), default);
                    }
                }
            }
        }
        Value::Array(elements) => {
            if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
                elements.iter_mut().for_each(|element| fill_defaults(root, items, element));
            }
        }
        _ => {}
    }
}

/// The value without what is null at any depth, which TOML cannot say: a setting that is null is one that is left out.
pub(super) fn without_nulls(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(table) => Some(Value::Object(
            table.into_iter().filter_map(|(key, value)| Some((key, without_nulls(value)?))).collect(),
        )),
        Value::Array(elements) => Some(Value::Array(elements.into_iter().filter_map(without_nulls).collect())),
        other => Some(other),
    }
}

/// The schema that `schema` refers to, or itself.
pub(super) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    // A chain of references longer than this goes round in a circle.
    for _ in 0..32 {
        let target = match schema.get("$ref").and_then(Value::as_str) {
            Some(target) => target,
            // A reference with a description beside it.
            None => match schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
                Some([only]) if only.get("$ref").is_some() && schema.get("properties").is_none() => {
                    schema = only;
                    continue;
                }
                _ => return schema,
            },
        };
        match target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) {
            Some(found) => schema = found,
            None => return schema,
        }
    }
    schema
}

/// The texts that `schema` allows, where it lists them.
pub(super) fn choices(schema: &Value) -> Option<Vec<&str>> {
    if let Some(only) = schema.get("const") {
        return only.as_str().map(|only| vec![only]);
    }
    if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
        return listed.iter().map(Value::as_str).collect();
    }
    let options = schema.get("oneOf").and_then(Value::as_array)?;
    let options: Option<Vec<_>> = options.iter().map(choices).collect();
    options.map(|options| options.concat())
}

/// The alternative of a table that depends on a name in it: `None` where it does not, an error with the key of the name
/// and all names where the name is missing or unknown. An alternative for all other names excludes those that the others
/// have with `not`; it stands for a missing name, too.
pub(super) fn alternative<'a>(
    root: &'a Value,
    schema: &'a Value,
    table: &Map<String, Value>,
) -> Option<Result<&'a Value, (&'a str, Vec<&'a str>)>> {
    let options: Vec<&Value> = array(schema, "oneOf").map(|option| resolve(root, option)).collect();
    let named = |option: &'a Value, key: &str| option.get("properties")?.get(key).and_then(choices);
    let is_other = |option: &&'a Value, key: &str| {
        option.get("properties").and_then(|own| own.get(key)).is_some_and(|schema| schema.get("not").is_some())
    };
    let first = options.first()?.get("properties")?.as_object()?;
    let is_tag = |key: &&String| options.iter().all(|option| named(option, key).is_some() || is_other(option, key));
    let tag = first.keys().find(is_tag)?;
    let name = table.get(tag).and_then(Value::as_str);
    let found = options
        .iter()
        .find(|option| named(option, tag).is_some_and(|names| name.is_some_and(|name| names.contains(&name))));
    Some(match found.or_else(|| options.iter().find(|option| is_other(option, tag))) {
        Some(option) => Ok(option),
        None => Err((tag, options.iter().filter_map(|option| named(option, tag)).flatten().collect())),
    })
}

/// The alternatives of a table that know `key`: the key that names them, and their names.
pub(super) fn owners<'a>(
    root: &'a Value,
    schema: &'a Value,
    key: &str,
) -> impl Iterator<Item = (&'a str, Vec<&'a str>)> {
    array(schema, "oneOf").filter_map(move |option| {
        let properties = resolve(root, option).get("properties")?.as_object()?;
        properties.get(key).filter(|schema| !schema.is_boolean())?;
        properties.iter().find_map(|(tag, schema)| Some((tag.as_str(), choices(schema)?)))
    })
}

pub(super) fn array<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    schema.get(key).and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn fits_type(schema: &Value, value: &Value) -> bool {
    let types = types(schema);
    types.is_empty()
        || types.iter().any(|kind| match *kind {
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "number" => value.is_number(),
            // Stricter than JSON schema, where 3.0 is an integer: in TOML it is not.
            "integer" => value.is_i64() || value.is_u64(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => value.is_null(),
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_default_table_is_filled_in_without_what_is_null_in_it() {
        let schema = json!({
            "properties": {
                "columns": {
                    "default": { "file": null, "inner": { "x": null, "y": 1 }, "list": [1, null] },
                    "properties": { "file": { "default": null } },
                },
                "nothing": { "default": null },
            },
        });
        let mut value = json!({});
        fill_defaults(&schema, &schema, &mut value);
        assert_eq!(value, json!({ "columns": { "inner": { "y": 1 }, "list": [1] } }));
    }
}
