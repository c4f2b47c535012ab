//! Settings laid over an experiment by something else than the command line: one cell of a sweep.

use std::collections::BTreeMap;

use config::{Map, Value, ValueKind};

use super::key_path::{KeyPath, Segment};
use super::layer::{Layer, Written, split_assignment};
use super::problem::Place;

/// A setting, its value, and where both were written, so that faults are shown there.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The setting, in the experiment: plain keys from the top.
    pub key: KeyPath,
    /// The value.
    pub value: serde_json::Value,
    /// The position of the key.
    pub key_place: Place,
    /// The position of the value.
    pub value_place: Place,
}

/// Returns the path of a setting written as TOML writes keys: `model.attention`,
/// `optimiser.learning_rates."classifier."`.
///
/// # Errors
/// What is wrong with it as a key.
pub fn setting_path(text: &str) -> Result<KeyPath, String> {
    if text.contains('=') {
        return Err(format!("`{text}` is no key"));
    }
    let assignment = format!("{text}=0");
    let (keys, _) = split_assignment(&assignment)?;
    Ok(keys.iter().fold(KeyPath::default(), |path, key| path.key(key)))
}

/// The layer of some assignments, later ones over earlier ones.
pub(super) fn layer(assignments: &[Assignment]) -> Layer {
    let mut parts = Vec::new();
    for assignment in assignments {
        let mut written = BTreeMap::new();
        let here = || Written { key: assignment.key_place.clone(), value: assignment.value_place.clone() };
        let mut above = Some(assignment.key.clone());
        while let Some(path) = above.filter(|path| !path.segments().is_empty()) {
            above = path.parent();
            written.insert(path, here());
        }
        let keys: Vec<&String> = assignment
            .key
            .segments()
            .iter()
            .filter_map(|segment| match segment {
                Segment::Key(key) => Some(key),
                Segment::Index(_) => None,
            })
            .collect();
        let Some((last, tables)) = keys.split_last() else { continue };
        let mut values: Map<String, Value> = [((*last).clone(), from_json(&assignment.value))].into_iter().collect();
        for key in tables.iter().rev() {
            values = [((*key).clone(), Value::from(values))].into_iter().collect();
        }
        parts.push(Layer { values, written, ..Layer::default() });
    }
    Layer::joined(parts)
}

fn from_json(value: &serde_json::Value) -> Value {
    let kind = match value {
        serde_json::Value::Null => ValueKind::Nil,
        serde_json::Value::Bool(flag) => ValueKind::from(*flag),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => ValueKind::from(number),
            None => ValueKind::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => ValueKind::from(text.as_str()),
        serde_json::Value::Array(elements) => ValueKind::from(elements.iter().map(from_json).collect::<Vec<_>>()),
        serde_json::Value::Object(table) => {
            let inner: Map<String, Value> = table.iter().map(|(key, value)| (key.clone(), from_json(value))).collect();
            ValueKind::from(inner)
        }
    };
    Value::new(None, kind)
}
