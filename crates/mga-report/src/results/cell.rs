//! `cell.json`: which cell of a sweep a run fills.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The cell of a sweep that a run fills.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cell {
    /// The sweep's name.
    pub sweep: Option<String>,
    /// The arm's name, where it has one.
    pub variant: Option<String>,
    /// The settings that tell this arm from the others, by dotted key: axes and the variant's overrides, without seeds
    /// and folds.
    pub settings: Map<String, Value>,
    /// The axes that repeat an arm, by dotted key: `seed`, `data.fold`, `data.validation.seed` and the like.
    pub replicate: Map<String, Value>,
    /// The run's place in the sweep.
    pub order: u64,
    /// Whether it belongs to the arm that the others are compared with.
    pub baseline: bool,
    /// The draw of a random or TPE search, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draw: Option<usize>,
}

impl Cell {
    /// Returns a text that is equal for runs of one arm: its settings, ordered by key.
    #[must_use]
    pub fn arm_key(&self) -> String {
        sorted(&self.settings)
    }

    /// Returns a text that is equal for runs that are paired: the replicate, ordered by key.
    #[must_use]
    pub fn replicate_key(&self) -> String {
        sorted(&self.replicate)
    }

    /// Formats the replicate for people: `seed 3, fold 1`, or `the only one` if nothing is repeated.
    #[must_use]
    pub fn replicate_label(&self) -> String {
        if self.replicate.is_empty() {
            return "the only one".to_owned();
        }
        let parts = self.replicate.iter().map(|(key, value)| {
            let name = key.strip_prefix("data.").unwrap_or(key).replace(['.', '_'], " ");
            format!("{name} {}", plain(value))
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// A value without the quotes of a string.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn sorted(map: &Map<String, Value>) -> String {
    let mut parts: Vec<_> = map.iter().map(|(key, value)| format!("{key}={value}")).collect();
    parts.sort();
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_does_not_tell_arms_apart() {
        let cell = |text: &str| serde_json::from_str::<Cell>(text).unwrap();
        let one = cell(r#"{"settings": {"a": 1, "b": "x"}, "replicate": {"seed": 3, "data.validation.seed": 1}}"#);
        let two = cell(r#"{"settings": {"b": "x", "a": 1}, "replicate": {}, "of_a_later_version": 5}"#);
        assert_eq!(one.arm_key(), two.arm_key());
        assert_ne!(one.replicate_key(), two.replicate_key());
        assert_eq!(one.replicate_label(), "seed 3, validation seed 1");
        assert_eq!(two.replicate_label(), "the only one");
        assert!(!two.baseline);
    }
}
