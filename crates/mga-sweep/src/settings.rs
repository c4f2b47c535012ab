//! Tables of a sweep file that set things in an experiment: dotted keys, or tables within tables.

use mga_experiment::{Assignment, Document, KeyPath, Problem, setting_path};
use serde_json::{Map, Value};

/// A setting of the experiment that a table of the sweep file names.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// In the experiment.
    pub(super) key: KeyPath,
    /// In the sweep file.
    pub(super) at: KeyPath,
    /// What stands there.
    pub(super) value: Value,
}

impl Setting {
    /// As a setting to be laid over the base.
    pub(super) fn assign(&self, document: &Document) -> Assignment {
        self.element(document, self.value.clone(), self.at.clone())
    }

    /// With a value of its list, the one at `index`.
    pub(super) fn pick(&self, document: &Document, index: usize, value: &Value) -> Assignment {
        self.element(document, value.clone(), self.at.index(index))
    }

    fn element(&self, document: &Document, value: Value, at: KeyPath) -> Assignment {
        Assignment {
            key: self.key.clone(),
            value,
            key_place: document.key_place(&self.at),
            value_place: document.value_place(&at),
        }
    }
}

/// The settings of `table`, which stands at `at`. A table within it opens keys further down, unless `leaf` says that it
/// is a value.
pub(super) fn settings(
    table: &Map<String, Value>,
    at: &KeyPath,
    document: &Document,
    leaf: fn(&Value) -> bool,
    problems: &mut Vec<Problem>,
) -> Vec<Setting> {
    let mut found = Vec::new();
    collect(table, at, &KeyPath::default(), document, leaf, problems, &mut found);
    found
}

fn collect(
    table: &Map<String, Value>,
    at: &KeyPath,
    prefix: &KeyPath,
    document: &Document,
    leaf: fn(&Value) -> bool,
    problems: &mut Vec<Problem>,
    found: &mut Vec<Setting>,
) {
    for (name, value) in table {
        let at = at.key(name);
        let path = match setting_path(name) {
            Ok(path) => path,
            Err(message) => {
                problems.push(Problem::error(Some(document.key_place(&at)), at, message));
                continue;
            }
        };
        let key = path.segments().iter().fold(prefix.clone(), |key, segment| key.then(segment.clone()));
        match value {
            Value::Object(inner) if !leaf(value) => collect(inner, &at, &key, document, leaf, problems, found),
            _ => found.push(Setting { key, at, value: value.clone() }),
        }
    }
}

/// What an experiment, as JSON, has at `key`.
pub(super) fn lookup<'a>(experiment: &'a Value, key: &KeyPath) -> Option<&'a Value> {
    key.segments().iter().try_fold(experiment, |value, segment| match segment {
        mga_experiment::Segment::Key(key) => value.get(key),
        mga_experiment::Segment::Index(index) => value.get(index),
    })
}

/// Whether two values are the same setting: 1 and 1.0 are.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// Returns whether a setting only repeats an arm of a sweep, as seeds and folds do.
#[must_use]
pub fn repeats(key: &KeyPath) -> bool {
    match key.segments().last() {
        Some(mga_experiment::Segment::Key(name)) => name == "seed" || name == "fold" || name.ends_with("_seed"),
        _ => false,
    }
}
