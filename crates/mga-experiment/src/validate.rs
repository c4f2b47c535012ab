//! Checks settings against the JSON schema, finding everything that is wrong in one pass.
//!
//! A small validator of our own: the general ones report alternatives (`oneOf`) as one unreadable failure, and none
//! knows a misspelt key. It understands the part of draft-07 that [`super::schema`] makes and schemars derives.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::key_path::KeyPath;
use super::schema_reading::{alternative, array, choices, fits_type, owners, resolve};
use super::wording::{broken_range, describe, describe_value, hint, one_of, quoted, unknown_name};
use mga_registry::nearest;

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
    let mut checker = Checker { root, faults: Vec::new(), meant: BTreeSet::new() };
    checker.check(root, value, &KeyPath::default());
    checker.faults
}

struct Checker<'a> {
    root: &'a Value,
    faults: Vec<Fault>,
    /// The keys that unknown ones are taken for.
    meant: BTreeSet<KeyPath>,
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
        // What a setting may be can depend on another beside it.
        if let (Some(condition), Some(then)) = (schema.get("if"), schema.get("then"))
            && self.fits(condition, value, path)
        {
            self.check(then, value, path);
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
            let (expected, found) = (describe(self.root, schema), describe_value(value));
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

    fn fits(&self, schema: &'a Value, value: &Value, path: &KeyPath) -> bool {
        let mut checker = Checker { root: self.root, faults: Vec::new(), meant: BTreeSet::new() };
        checker.check(schema, value, path);
        checker.faults.is_empty()
    }

    fn check_choice(&mut self, choices: &[&str], value: &Value, path: &KeyPath) {
        let message = match value.as_str() {
            Some(text) if choices.contains(&text) => return,
            Some(text) => unknown_name(text, choices),
            None => format!("expected {}, found {}", one_of(choices), describe_value(value)),
        };
        self.fault(path, About::Value, message);
    }

    /// One of several schemas has to fit; if one is of the value's type, its faults are the ones to report. A text counts as
    /// a name that is misspelt where it is near to one.
    fn check_any(&mut self, alternatives: &[&'a Value], value: &Value, path: &KeyPath) {
        let mut faults_of_same_type = Vec::new();
        for alternative in alternatives {
            let mut checker = Checker { root: self.root, faults: Vec::new(), meant: BTreeSet::new() };
            checker.check(alternative, value, path);
            if checker.faults.is_empty() {
                return;
            }
            let alternative = resolve(self.root, alternative);
            let misspelt = |names: Vec<&str>| value.as_str().is_some_and(|text| nearest(text, names).is_some());
            if fits_type(alternative, value) && choices(alternative).is_none_or(misspelt) {
                faults_of_same_type.push(checker.faults);
            }
        }
        match faults_of_same_type.pop() {
            Some(faults) if faults_of_same_type.is_empty() => self.faults.extend(faults),
            _ => {
                let expected: Vec<String> = alternatives
                    .iter()
                    .filter(|alternative| alternative.get("type").and_then(Value::as_str) != Some("null"))
                    .map(|alternative| describe(self.root, alternative))
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
                // Without the name of the component, a key of any of them may be right.
                (None, _) if tag.is_some() && owners(self.root, schema, key).next().is_some() => {}
                (None, rest) if tag.is_some() || rest == Some(&Value::Bool(false)) => {
                    let keys: Vec<&str> = parts
                        .iter()
                        .filter_map(|part| part.get("properties")?.as_object())
                        .flat_map(|properties| properties.iter().filter(|(_, schema)| !schema.is_boolean()))
                        .map(|(key, _)| key.as_str())
                        .collect();
                    let meant = nearest(key, keys.iter().copied());
                    self.meant.extend(meant.and_then(|meant| Some(path.parent()?.key(meant))));
                    let message = match (meant, owners(self.root, schema, key).next()) {
                        (None, Some((tag, names))) => {
                            format!("unknown key; `{key}` goes with {tag} = {}", quoted(&names, "or"))
                        }
                        _ => self.unknown_key(key, &keys),
                    };
                    self.fault(&path, About::Key, message);
                }
                (None, Some(schema)) if schema.is_object() => self.check(schema, value, &path),
                (None, _) => {}
            }
        }
        for key in parts.iter().flat_map(|part| array(part, "required")).filter_map(Value::as_str) {
            let seen = table.contains_key(key) || tag == Some(key);
            let path = path.key(key);
            // Somebody who misspelt it has been told.
            let misspelt = self.meant.contains(&path);
            if !seen && !misspelt && !self.faults.iter().any(|fault| fault.path == path) {
                let expected =
                    known(key).map(|schema| describe(self.root, schema)).unwrap_or_else(|| "a value".to_owned());
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
            None if keys.is_empty() => "unknown key; nothing can be set here".to_owned(),
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
}
