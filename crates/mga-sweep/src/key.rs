//! Names of run folders: readable, unique within the sweep, and the same whenever the same run is asked for.

use mga_experiment::{KeyPath, Segment};
use serde_json::Value;

/// Letters of a value at most.
const VALUE: usize = 24;
/// Letters of the readable part at most: file systems allow 255 in a name.
const READABLE: usize = 120;

/// The word for a setting where its whole key would be long: the last part, and of `transport.name` the one before, for that
/// is what the component is.
///
/// ```
/// use mga_sweep::short_key;
/// assert_eq!(["model.attention", "transport.name", "seed"].map(short_key), ["attention", "transport", "seed"]);
/// ```
#[must_use]
pub fn short_key(key: &str) -> &str {
    let key = key.strip_suffix(".name").unwrap_or(key);
    key.rsplit('.').next().unwrap_or(key)
}

/// The folder of a run that is told from others by `labels`, and has this id.
pub(super) fn key(labels: &[(KeyPath, Value)], names: &[String], id: &str) -> String {
    let parts: Vec<String> = labels
        .iter()
        .zip(names)
        .map(|((_, value), name)| if name.is_empty() { slug(value) } else { format!("{name}-{}", slug(value)) })
        .collect();
    let mut readable = parts.join(".");
    readable.truncate(READABLE);
    let id = id.get(..8).unwrap_or(id);
    if readable.is_empty() { id.to_owned() } else { format!("{readable}-{id}") }
}

/// A short name for each label's key: its last part, with the one before where two would be called the same.
pub(super) fn names(labels: &[(KeyPath, Value)]) -> Vec<String> {
    let last = |key: &KeyPath, parts: usize| {
        let keys: Vec<String> = key
            .segments()
            .iter()
            .map(|segment| match segment {
                Segment::Key(key) => plain(key),
                Segment::Index(index) => index.to_string(),
            })
            .collect();
        keys[keys.len().saturating_sub(parts)..].join("-")
    };
    let short: Vec<String> = labels.iter().map(|(key, _)| last(key, 1)).collect();
    let alone = |name: &String| short.iter().filter(|other| *other == name).count() == 1;
    labels.iter().zip(&short).map(|((key, _), name)| if alone(name) { name.clone() } else { last(key, 2) }).collect()
}

fn slug(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut text = plain(&text);
    text.truncate(VALUE);
    if text.is_empty() { "empty".to_owned() } else { text }
}

/// ASCII letters, digits, `_` and dots inside numbers; everything else is `_`.
fn plain(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-' { c } else { '_' })
        .collect();
    plain.trim_matches(['_', '.', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_readable_and_safe() {
        let labels = [
            (KeyPath::default(), json!("mga + otsu")),
            (KeyPath::dotted("model.weights"), json!("timm/densenet161.tv_in1k")),
            (KeyPath::dotted("seed"), json!(3)),
            (KeyPath::dotted("data.validation.seed"), json!(-3)),
        ];
        let names = names(&labels);
        assert_eq!(names, ["", "weights", "seed", "validation-seed"]);
        let key = key(&labels, &names, "4f1c02ab99");
        assert_eq!(key, "mga___otsu.weights-timm_densenet161.tv_in1k.seed-3.validation-seed-3-4f1c02ab");
        let nested = [(KeyPath::dotted("a.seed"), json!([0.5, 0.5])), (KeyPath::dotted("b.seed"), json!(""))];
        assert_eq!(super::key(&nested, &super::names(&nested), ""), "a-seed-0.5_0.5.b-seed-empty-");
    }
}
