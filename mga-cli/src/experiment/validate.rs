//! Checks settings against the JSON schema, finding everything that is wrong in one pass.
//!
//! A small validator of our own: the general ones report alternatives (`oneOf`) as one unreadable failure, and none
//! knows a misspelt key. It understands the part of draft-07 that [`super::schema`] makes and schemars derives.

use serde_json::{Map, Value};

use super::key_path::KeyPath;
use super::nearest::nearest;

/// Something about a setting that its schema does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The setting.
    pub(super) path: KeyPath,
    /// What of it is meant.
    pub(super) about: About,
    /// What is wrong, what was expected, what to do.
    pub(super) message: String,
}

/// What of a setting a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Its key.
    Key,
    /// Its value.
    Value,
    /// That it is not there.
    Absence,
}

/// Everything about `value` that the schema `root` does not allow.
pub(super) fn faults(root: &Value, value: &Value) -> Vec<Fault> {
    let mut checker = Checker { root, faults: Vec::new() };
    checker.check(root, value, &KeyPath::default());
    checker.faults
}

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
                    } else if let Some(default) = schema.get("default").filter(|default| !default.is_null()) {
                        table.insert(key.clone(), default.clone());
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
/// and all names where the name is missing or unknown.
fn alternative<'a>(
    root: &'a Value,
    schema: &'a Value,
    table: &Map<String, Value>,
) -> Option<Result<&'a Value, (&'a str, Vec<&'a str>)>> {
    let options: Vec<&Value> = array(schema, "oneOf").map(|option| resolve(root, option)).collect();
    let named = |option: &'a Value, key: &str| option.get("properties")?.get(key).and_then(choices);
    let first = options.first()?.get("properties")?.as_object()?;
    let tag = first.keys().find(|key| options.iter().all(|option| named(option, key).is_some()))?;
    let name = table.get(tag).and_then(Value::as_str);
    let found = options
        .iter()
        .find(|option| named(option, tag).is_some_and(|names| name.is_some_and(|name| names.contains(&name))));
    Some(match found {
        Some(option) => Ok(option),
        None => Err((tag, options.iter().filter_map(|option| named(option, tag)).flatten().collect())),
    })
}

fn array<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    schema.get(key).and_then(Value::as_array).into_iter().flatten()
}

struct Checker<'a> {
    root: &'a Value,
    faults: Vec<Fault>,
}

impl<'a> Checker<'a> {
    fn fault(&mut self, path: &KeyPath, about: About, message: String) {
        self.faults.push(Fault { path: path.clone(), about, message });
    }

    fn check(&mut self, schema: &'a Value, value: &Value, path: &KeyPath) {
        let schema = resolve(self.root, schema);
        for part in array(schema, "allOf") {
            self.check(part, value, path);
        }
        if let Some(choices) = choices(schema) {
            self.check_choice(&choices, value, path);
            return;
        }
        let alternatives: Vec<&Value> = array(schema, "anyOf").collect();
        if !alternatives.is_empty() {
            self.check_any(&alternatives, value, path);
        }
        if !fits_type(schema, value) {
            let (expected, found) = (self.describe(schema), describe_value(value));
            self.fault(path, About::Value, format!("expected {expected}, found {found}{}", hint(schema, value)));
            return;
        }
        match value {
            Value::Object(table) => self.check_table(schema, table, path),
            Value::Array(elements) => self.check_array(schema, elements, path),
            Value::Number(_) => {
                if let Some(range) = broken_range(schema, value) {
                    self.fault(path, About::Value, format!("expected {range}, found {value}"));
                }
            }
            Value::String(text) if text.is_empty() && schema.get("minLength").is_some() => {
                self.fault(path, About::Value, "expected a text that is not empty".to_owned());
            }
            _ => {}
        }
    }

    fn check_choice(&mut self, choices: &[&str], value: &Value, path: &KeyPath) {
        let message = match value.as_str() {
            Some(text) if choices.contains(&text) => return,
            Some(text) => unknown_name(text, choices),
            None => format!("expected {}, found {}", one_of(choices), describe_value(value)),
        };
        self.fault(path, About::Value, message);
    }

    /// One of several schemas has to fit; if one is of the value's type, its faults are the ones to report.
    fn check_any(&mut self, alternatives: &[&'a Value], value: &Value, path: &KeyPath) {
        let mut faults_of_same_type = Vec::new();
        for alternative in alternatives {
            let mut checker = Checker { root: self.root, faults: Vec::new() };
            checker.check(alternative, value, path);
            if checker.faults.is_empty() {
                return;
            }
            if fits_type(resolve(self.root, alternative), value) && choices(alternative).is_none() {
                faults_of_same_type.push(checker.faults);
            }
        }
        match faults_of_same_type.pop() {
            Some(faults) if faults_of_same_type.is_empty() => self.faults.extend(faults),
            _ => {
                let expected: Vec<String> = alternatives
                    .iter()
                    .filter(|alternative| alternative.get("type").and_then(Value::as_str) != Some("null"))
                    .map(|alternative| self.describe(alternative))
                    .collect();
                let message = format!("expected {}, found {}", expected.join(" or "), describe_value(value));
                self.fault(path, About::Value, message);
            }
        }
    }

    fn check_array(&mut self, schema: &'a Value, elements: &[Value], path: &KeyPath) {
        let limit = |key| schema.get(key).and_then(Value::as_u64).map(|n| n as usize);
        let (least, most) = (limit("minItems").unwrap_or(0), limit("maxItems").unwrap_or(usize::MAX));
        if elements.len() < least || elements.len() > most {
            let expected = match (least, most) {
                (least, most) if least == most => format!("{least}"),
                (least, usize::MAX) => format!("at least {least}"),
                (least, most) => format!("{least} to {most}"),
            };
            self.fault(path, About::Value, format!("expected {expected} elements, found {}", elements.len()));
        }
        let items = schema.get("items");
        for (i, element) in elements.iter().enumerate() {
            let item = match items {
                Some(Value::Array(each)) => each.get(i),
                other => other,
            };
            if let Some(item) = item {
                self.check(item, element, &path.index(i));
            }
        }
    }

    fn check_table(&mut self, schema: &'a Value, table: &Map<String, Value>, path: &KeyPath) {
        let mut parts = vec![schema];
        let mut tag = None;
        match alternative(self.root, schema, table) {
            None => {}
            Some(Ok(alternative)) => parts.push(alternative),
            Some(Err((key, names))) => {
                tag = Some(key);
                match table.get(key) {
                    Some(Value::String(name)) => {
                        self.fault(&path.key(key), About::Value, unknown_name(name, &names));
                    }
                    Some(other) => {
                        let message = format!("expected {}, found {}", one_of(&names), describe_value(other));
                        self.fault(&path.key(key), About::Value, message);
                    }
                    None => {
                        let message = format!("missing; expected {}", one_of(&names));
                        self.fault(&path.key(key), About::Absence, message);
                    }
                }
            }
        }
        let known = |key: &str| {
            parts.iter().filter_map(|part| part.get("properties")?.get(key)).find(|schema| !schema.is_boolean())
        };
        let rest = parts.iter().find_map(|part| part.get("additionalProperties"));
        for (key, value) in table {
            let path = path.key(key);
            match (known(key), rest) {
                (Some(_), _) if tag == Some(key) => {}
                (Some(schema), _) => self.check(schema, value, &path),
                (None, Some(Value::Bool(false))) => {
                    let keys: Vec<&str> = parts
                        .iter()
                        .filter_map(|part| part.get("properties")?.as_object())
                        .flat_map(|properties| properties.iter().filter(|(_, schema)| !schema.is_boolean()))
                        .map(|(key, _)| key.as_str())
                        .collect();
                    let message = self.unknown_key(key, &keys);
                    self.fault(&path, About::Key, message);
                }
                (None, Some(schema)) if schema.is_object() => self.check(schema, value, &path),
                // An unknown key beside an unknown name may be right once the name is.
                (None, _) => {}
            }
        }
        for key in parts.iter().flat_map(|part| array(part, "required")).filter_map(Value::as_str) {
            let seen = table.contains_key(key) || tag == Some(key);
            let path = path.key(key);
            if !seen && !self.faults.iter().any(|fault| fault.path == path) {
                let expected = known(key).map(|schema| self.describe(schema)).unwrap_or_else(|| "a value".to_owned());
                self.fault(&path, About::Absence, format!("missing; expected {expected}"));
            }
        }
    }

    fn unknown_key(&self, key: &str, keys: &[&str]) -> String {
        if let Some(meant) = nearest(key, keys.iter().copied()) {
            return format!("unknown key, did you mean `{meant}`?");
        }
        // The name that an alternative depends on is in both of its parts.
        let keys: Vec<&str> =
            keys.iter().enumerate().filter(|(i, key)| !keys[..*i].contains(key)).map(|(_, k)| *k).collect();
        let known = format!("the keys here are {}", quoted(&keys, "and"));
        match self.home(self.root, key, &KeyPath::default(), 3) {
            Some(table) if table.segments().is_empty() => {
                format!("unknown key; `{key}` belongs at the top of the file, before the first [table]")
            }
            Some(table) => format!("unknown key; `{key}` belongs in [{table}]"),
            None => format!("unknown key; {known}"),
        }
    }

    /// A table that has a key of this name.
    fn home(&self, schema: &'a Value, key: &str, path: &KeyPath, depth: usize) -> Option<KeyPath> {
        let schema = resolve(self.root, schema);
        let parts = [schema].into_iter().chain(array(schema, "oneOf"));
        let tables: Vec<&Map<String, Value>> =
            parts.filter_map(|part| part.get("properties").and_then(Value::as_object)).collect();
        if tables.iter().any(|table| table.get(key).is_some_and(|schema| !schema.is_boolean())) {
            return Some(path.clone());
        }
        if depth == 0 {
            return None;
        }
        tables.iter().copied().flatten().find_map(|(name, schema)| self.home(schema, key, &path.key(name), depth - 1))
    }

    /// What the schema wants, in words.
    fn describe(&self, schema: &'a Value) -> String {
        let schema = resolve(self.root, schema);
        if let Some(choices) = choices(schema) {
            return one_of(&choices);
        }
        let alternatives: Vec<&Value> = array(schema, "anyOf").collect();
        if !alternatives.is_empty() {
            let words = alternatives.iter().map(|part| self.describe(part)).filter(|words| words != "nothing");
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
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn fits_type(schema: &Value, value: &Value) -> bool {
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

/// What the range of a number is, in words, if `value` is outside it.
fn broken_range(schema: &Value, value: &Value) -> Option<String> {
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

fn describe_value(value: &Value) -> String {
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
fn hint(schema: &Value, value: &Value) -> String {
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

fn unknown_name(name: &str, names: &[&str]) -> String {
    let meant = nearest(name, names.iter().copied()).map(|meant| format!(", did you mean `{meant}`?"));
    format!("unknown name `{name}`{} expected {}", meant.as_deref().unwrap_or(";"), one_of(names))
}

fn one_of(names: &[&str]) -> String {
    match names {
        [only] => format!("`{only}`"),
        [first, second] => format!("`{first}` or `{second}`"),
        _ => format!("one of {}", quoted(names, "or")),
    }
}

fn quoted(names: &[&str], last: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        _ => names.concat(),
    }
}
