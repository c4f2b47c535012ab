//! One layer of settings, a file, the environment or the command line: its values, and where each was written.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use config::{Map, Value, ValueKind};
use toml::de::{DeTable, DeValue};

use super::defaults::{is_collected, is_resolved};
use super::key_path::KeyPath;
use super::merge::merge;
use super::problem::{Place, Problem, SourceFile};

/// Environment variables that begin with this are settings.
pub const ENVIRONMENT_PREFIX: &str = "MGA__";

/// Where a setting was written: its key, and its value.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// The key; of an array's element, the element.
    pub(super) key: Place,
    /// The value.
    pub(super) value: Place,
}

/// Settings from one source.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    /// The settings as tables.
    pub(super) values: Map<String, Value>,
    /// Where each was written.
    pub(super) written: BTreeMap<KeyPath, Written>,
    /// Whether mga wrote it: a resolved experiment, which has every setting, whether it does anything or not.
    pub(super) resolved: bool,
    /// Whether it is weaker than the experiment's own file: defaults, what the file extends, and a collected base, in which
    /// both are.
    pub(super) extended: bool,
    /// The stage whose table in the source this is; `None`: the top of the source.
    pub(super) stage: Option<String>,
}

impl Layer {
    /// A layer from a TOML file, as far as it can be read, and every fault of its syntax.
    pub(super) fn from_file(file: &Arc<SourceFile>) -> (Self, Vec<Problem>) {
        let (table, errors) = DeTable::parse_recoverable(&file.text);
        let mut problems: Vec<Problem> = errors
            .iter()
            .map(|error| {
                let end = file.text.len();
                let place = Place::File(Arc::clone(file), error.span().unwrap_or(end..end));
                Problem::error(Some(place), KeyPath::default(), format!("not valid TOML: {}", error.message()))
            })
            .collect();
        let mut reader = Reader {
            place: &|span| Place::File(Arc::clone(file), span),
            written: BTreeMap::new(),
            problems: &mut problems,
        };
        let values = reader.table(table.get_ref(), &KeyPath::default());
        let (resolved, extended) = (is_resolved(&file.text), is_collected(&file.text));
        (Self { values, written: reader.written, resolved, extended, ..Self::default() }, problems)
    }

    /// The layer of the environment variables among `variables` that begin with [`ENVIRONMENT_PREFIX`]:
    /// `MGA__MODEL__ATTENTION` is `model.attention`. Values are TOML values, else strings.
    pub(super) fn from_environment(variables: &[(String, String)]) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut parts = Vec::new();
        // Sorted, so that `MGA__MODEL` (a whole table) comes before `MGA__MODEL__ATTENTION`, and the order of the
        // environment has no say.
        let sorted: BTreeMap<&String, &String> = variables.iter().map(|(name, value)| (name, value)).collect();
        for (name, value) in sorted {
            let Some(keys) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            let place = Place::Variable(name.clone(), value.clone());
            let keys: Vec<String> = keys.split("__").map(str::to_lowercase).collect();
            if keys.iter().any(String::is_empty) {
                let message = "names no setting; expected keys between double underscores, as in MGA__MODEL__ATTENTION";
                problems.push(Problem::error(Some(place), KeyPath::default(), message));
                continue;
            }
            parts.push(Self::from_text(&keys, value, place, &mut problems));
        }
        (Self::joined(parts), problems)
    }

    /// The layer of `--set KEY=VALUE` arguments, later ones over earlier ones. Keys are TOML keys with dots between
    /// them, values TOML values, else strings.
    pub(super) fn from_flags(arguments: &[String]) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut parts = Vec::new();
        for argument in arguments {
            let place = Place::Flag(argument.clone());
            match split_assignment(argument) {
                Ok((keys, value)) => parts.push(Self::from_text(&keys, value, place, &mut problems)),
                Err(message) => problems.push(Problem::error(Some(place), KeyPath::default(), message)),
            }
        }
        (Self::joined(parts), problems)
    }

    /// A layer of one setting, given as text.
    fn from_text(keys: &[String], text: &str, place: Place, problems: &mut Vec<Problem>) -> Self {
        let path = keys.iter().fold(KeyPath::default(), |path, key| path.key(key));
        let mut reader = Reader { place: &|_| place.clone(), written: BTreeMap::new(), problems };
        let value = match DeValue::parse(text.trim()) {
            Ok(value) => reader.value(value.get_ref(), 0..0, &path),
            Err(error) => {
                // Text that sets out to be an array, a table or a quoted string is not meant as a plain string.
                if text.trim_start().starts_with(['[', '{', '"', '\'']) {
                    let message = format!("not valid TOML: {}", error.message());
                    reader.problems.push(Problem::error(Some(place.clone()), path, message));
                    return Self::default();
                }
                Some(Value::from(text))
            }
        };
        let mut written = reader.written;
        let mut above = Some(path);
        while let Some(path) = above.filter(|path| !path.segments().is_empty()) {
            above = path.parent();
            written.insert(path, Written { key: place.clone(), value: place.clone() });
        }
        let mut values = Map::new();
        if let Some((last, tables)) = keys.split_last() {
            let mut inner: Map<String, Value> = value.map(|value| (last.clone(), value)).into_iter().collect();
            for key in tables.iter().rev() {
                inner = [(key.clone(), Value::from(inner))].into_iter().collect();
            }
            values = inner;
        }
        Self { values, written, ..Self::default() }
    }

    /// Several layers as one, later ones over earlier ones.
    pub(super) fn joined(layers: Vec<Self>) -> Self {
        let values = merge(layers.iter().map(|layer| &layer.values), None);
        let mut written = BTreeMap::new();
        for layer in layers {
            written.extend(layer.written);
        }
        Self { values, written, ..Self::default() }
    }
}

/// Splits `model."a.b"=value` into its keys and the text of its value.
pub(super) fn split_assignment(argument: &str) -> Result<(Vec<String>, &str), String> {
    let mut quote = None;
    let equals = argument.char_indices().find(|&(_, c)| {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            _ => {}
        }
        c == '=' && quote.is_none()
    });
    let Some((equals, _)) = equals else {
        return Err("expected KEY=VALUE, as in `--set model.attention=none`".to_owned());
    };
    let (key, value) = (&argument[..equals], &argument[equals + 1..]);
    if key.contains('[') {
        return Err(format!("`{}` is no key; elements cannot be set, only the whole array", key.trim()));
    }
    let assignment = format!("{key} = 0");
    let table = DeTable::parse(&assignment).map_err(|error| format!("`{key}` is no key: {}", error.message()))?;
    let mut keys = Vec::new();
    let mut table = table.get_ref();
    while let Some((key, value)) = table.iter().next() {
        keys.push(key.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    Ok((keys, value))
}

/// Turns parsed TOML into values, noting where each was written.
struct Reader<'a> {
    place: &'a dyn Fn(Range<usize>) -> Place,
    written: BTreeMap<KeyPath, Written>,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &KeyPath) -> Map<String, Value> {
        let mut values = Map::new();
        for (key, value) in table {
            let path = path.key(key.get_ref());
            self.note(&path, key.span(), value.span());
            if let Some(read) = self.value(value.get_ref(), value.span(), &path) {
                values.insert(key.get_ref().to_string(), read);
            }
        }
        values
    }

    fn note(&mut self, path: &KeyPath, key: Range<usize>, value: Range<usize>) {
        let (key, value) = ((self.place)(key), (self.place)(value));
        self.written.insert(path.clone(), Written { key, value });
    }

    /// The value, or `None` and a problem for a number that cannot be kept.
    fn value(&mut self, value: &DeValue<'_>, span: Range<usize>, path: &KeyPath) -> Option<Value> {
        let kind = match value {
            DeValue::String(text) => ValueKind::from(text.as_ref()),
            DeValue::Boolean(flag) => ValueKind::from(*flag),
            // No setting is a date; as text it fails the check of its type, with its position.
            DeValue::Datetime(date) => ValueKind::from(date.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => ValueKind::from(number),
                Err(_) => return self.refuse(span, path, "does not fit a whole number of 64 bits"),
            },
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => ValueKind::from(number),
                _ => return self.refuse(span, path, "is not a finite number"),
            },
            DeValue::Table(table) => ValueKind::from(self.table(table, path)),
            DeValue::Array(elements) => {
                let mut values = Vec::with_capacity(elements.len());
                for (i, element) in elements.iter().enumerate() {
                    let path = path.index(i);
                    self.note(&path, element.span(), element.span());
                    values.extend(self.value(element.get_ref(), element.span(), &path));
                }
                ValueKind::from(values)
            }
        };
        Some(Value::new(None, kind))
    }

    fn refuse(&mut self, span: Range<usize>, path: &KeyPath, why: &str) -> Option<Value> {
        self.problems.push(Problem::error(Some((self.place)(span)), path.clone(), why));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_split_at_the_first_equals_sign_outside_quotes() {
        let keys = |text: &str| split_assignment(text).map(|(keys, value)| (keys.join("|"), value.to_owned()));
        assert_eq!(keys("model.attention=none"), Ok(("model|attention".to_owned(), "none".to_owned())));
        assert_eq!(
            keys("optimiser.learning_rates.\"a.=b\"=0.1"),
            Ok(("optimiser|learning_rates|a.=b".to_owned(), "0.1".to_owned()))
        );
        assert_eq!(keys("seed = 3 "), Ok(("seed".to_owned(), " 3 ".to_owned())));
        assert!(keys("seed").unwrap_err().contains("expected KEY=VALUE"));
        assert!(keys("=3").unwrap_err().contains("is no key"));
        assert!(keys("a[0]=3").unwrap_err().contains("the whole array"));
    }

    #[test]
    fn values_are_toml_else_strings() {
        let read = |text: &str| {
            let mut problems = Vec::new();
            let layer = Layer::from_text(&["k".to_owned()], text, Place::Flag(text.to_owned()), &mut problems);
            assert!(problems.is_empty(), "{problems:?}");
            layer.values["k"].kind.clone()
        };
        assert_eq!(read("3"), ValueKind::I64(3));
        assert_eq!(read("3.0"), ValueKind::Float(3.0));
        assert_eq!(read("true"), ValueKind::Boolean(true));
        assert_eq!(read("\"true\""), ValueKind::String("true".to_owned()));
        assert_eq!(read("timm/densenet161.tv_in1k"), ValueKind::String("timm/densenet161.tv_in1k".to_owned()));
        assert_eq!(read(""), ValueKind::String(String::new()));
        assert!(matches!(read("[1, 2]"), ValueKind::Array(elements) if elements.len() == 2));
    }
}
