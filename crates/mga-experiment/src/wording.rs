//! Descriptions of what a schema expects and what was found instead.

use serde_json::Value;

use super::schema_reading::{array, choices, resolve, types};
use mga_registry::nearest;

/// What the schema wants, in words.
pub(super) fn describe(root: &Value, schema: &Value) -> String {
    let schema = resolve(root, schema);
    if let Some(choices) = choices(schema) {
        return one_of(&choices);
    }
    let alternatives: Vec<&Value> = array(schema, "anyOf").collect();
    if !alternatives.is_empty() {
        let words = alternatives.iter().map(|part| describe(root, part)).filter(|words| words != "nothing");
        return words.collect::<Vec<_>>().join(" or ");
    }
    let words = types(schema).into_iter().filter(|kind| *kind != "null").map(|kind| match kind {
        "string" => "a string".to_owned(),
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => match (schema.get("minItems"), schema.get("maxItems"), schema.get("items")) {
            (Some(least), Some(most), Some(items)) if least == most => {
                let plural = match types(items).first() {
                    Some(&"number") => "numbers",
                    Some(&"integer") => "whole numbers",
                    _ => "values",
                };
                format!("an array of {least} {plural}")
            }
            _ => "an array".to_owned(),
        },
        _ => "a table".to_owned(),
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        return if types(schema).contains(&"null") { "nothing" } else { "a table" }.to_owned();
    }
    words.join(" or ")
}

/// What the range of a number is, in words, if `value` is outside it.
pub(super) fn broken_range(schema: &Value, value: &Value) -> Option<String> {
    let number = value.as_f64()?;
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let (least, above) = (bound("minimum"), bound("exclusiveMinimum"));
    let (most, below) = (bound("maximum"), bound("exclusiveMaximum"));
    let inside = least.is_none_or(|bound| number >= bound)
        && above.is_none_or(|bound| number > bound)
        && most.is_none_or(|bound| number <= bound)
        && below.is_none_or(|bound| number < bound);
    if inside {
        return None;
    }
    let words = [("at least", least), ("more than", above), ("at most", most), ("less than", below)];
    let words: Vec<String> =
        words.iter().filter_map(|(words, bound)| bound.map(|bound| format!("{words} {bound}"))).collect();
    Some(words.join(" and "))
}

pub(super) fn describe_value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) if number.is_f64() => format!("the number {number}"),
        Value::Number(number) => format!("the whole number {number}"),
        Value::String(text) => format!("the string {text:?}"),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "a table".to_owned(),
    }
}

/// What would make the value be of the type, where that is plain.
pub(super) fn hint(schema: &Value, value: &Value) -> String {
    let types = types(schema);
    let wants = |kind: &str| types.contains(&kind);
    match value {
        Value::String(text) if (wants("number") || wants("integer")) && text.parse::<f64>().is_ok() => {
            "; take off the quotes".to_owned()
        }
        Value::String(text) if wants("boolean") && (text == "true" || text == "false") => {
            "; take off the quotes".to_owned()
        }
        Value::Number(_) | Value::Bool(_) if wants("string") => "; put it in quotes".to_owned(),
        Value::Number(number) if wants("integer") && number.as_f64().is_some_and(|number| number.fract() == 0.0) => {
            format!("; write {}", number.as_f64().unwrap_or_default())
        }
        _ => String::new(),
    }
}

pub(super) fn unknown_name(name: &str, names: &[&str]) -> String {
    let meant = nearest(name, names.iter().copied()).map(|meant| format!(", did you mean `{meant}`?"));
    format!("unknown name `{name}`{} expected {}", meant.as_deref().unwrap_or(";"), one_of(names))
}

pub(super) fn one_of(names: &[&str]) -> String {
    match names {
        [only] => format!("`{only}`"),
        [first, second] => format!("`{first}` or `{second}`"),
        _ => format!("one of {}", quoted(names, "or")),
    }
}

pub(super) fn quoted(names: &[&str], last: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        _ => names.concat(),
    }
}
