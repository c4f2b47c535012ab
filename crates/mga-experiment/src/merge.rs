//! Laying settings over each other: tables merge, arrays and everything else replace.
//!
//! The merging is `config`'s. Two of its habits are worked round here. Keys at the top of a source are parsed as
//! paths, so that `"a.b" = 1` would become a table: every source hands over one table under a plain key instead.
//! And reading its values back would turn `"yes"` into `true` and 1.5 into 2: they are taken as they are, as JSON.

use std::fmt;
use std::sync::Arc;

use config::{Config, ConfigError, Map, Source, Value, ValueKind};

const TOP: &str = "experiment";

/// Which settings of weaker layers go when a layer names another component in their table: given the table, the key
/// that names the component, and the old and new name, the keys to drop.
pub(super) type Leftovers = Arc<dyn Fn(&str, &str, &str) -> Vec<String> + Send + Sync>;

/// The key of a table that names a component, on which its other settings depend.
pub(super) fn tag(table: &str) -> &'static str {
    match table {
        "data" => "dataset",
        "model" => "backbone",
        "data.masks" | "eval.reference_masks" => "source",
        _ => "name",
    }
}

/// Tables inside other tables that name a component, too.
const INNER: [(&str, &str); 2] = [("data", "masks"), ("eval", "reference_masks")];

/// The layers merged, weakest first.
pub(super) fn merge<'a>(
    layers: impl IntoIterator<Item = &'a Map<String, Value>>,
    leftovers: Option<&Leftovers>,
) -> Map<String, Value> {
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(Settings { values: layer.clone(), leftovers: leftovers.cloned() });
    }
    // Sources in memory cannot fail.
    let merged = builder.build().map(|config| config.cache.kind);
    match merged {
        Ok(ValueKind::Table(mut table)) => match table.swap_remove(TOP).map(|value| value.kind) {
            Some(ValueKind::Table(settings)) => settings,
            _ => Map::new(),
        },
        _ => Map::new(),
    }
}

/// One layer as a source of `config`.
#[derive(Clone)]
struct Settings {
    values: Map<String, Value>,
    leftovers: Option<Leftovers>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.fmt(f)
    }
}

impl Source for Settings {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok([(TOP.to_owned(), Value::from(self.values.clone()))].into_iter().collect())
    }

    fn collect_to(&self, cache: &mut Value) -> Result<(), ConfigError> {
        if let (Some(leftovers), Some(weaker)) = (&self.leftovers, table_mut(cache, TOP)) {
            self.values.iter().for_each(|(table, stronger)| drop_nested(weaker.get_mut(table), stronger));
            drop_leftovers(weaker, &self.values, "", leftovers);
            for (outer, inner) in INNER {
                let stronger = self.values.get(outer).and_then(|outer| inner_table(outer, inner));
                let weaker = weaker.get_mut(outer).and_then(table_of);
                if let (Some(stronger), Some(weaker)) = (stronger, weaker) {
                    stronger.iter().for_each(|(table, stronger)| drop_nested(weaker.get_mut(table), stronger));
                    drop_leftovers(weaker, &stronger, outer, leftovers);
                }
            }
        }
        // `Source::collect_to` as it would be without this override.
        vec![Box::new(Whole(self.collect()?)) as Box<dyn Source + Send + Sync>].collect_to(cache)
    }
}

/// Drops a weaker layer's component within a table, `model.head` say, where the stronger layer names another: the settings of
/// the old one mean nothing to the new.
fn drop_nested(weaker: Option<&mut Value>, stronger: &Value) {
    let (Some(ValueKind::Table(weaker)), ValueKind::Table(stronger)) =
        (weaker.map(|value| &mut value.kind), &stronger.kind)
    else {
        return;
    };
    for (key, value) in stronger {
        let (old, new) = (weaker.get(key).and_then(|old| text(old, "name")), text(value, "name"));
        if old.is_some() && new.is_some() && old != new {
            weaker.shift_remove(key);
        }
    }
}

/// A layer with nothing to drop: the trait's own `collect_to` merges it.
#[derive(Debug, Clone)]
struct Whole(Map<String, Value>);

impl Source for Whole {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// Drops from the tables in `weaker` the settings of components in whose place those in `stronger` name others. Both are the
/// tables within `within`; empty: the top.
fn drop_leftovers(weaker: &mut Map<String, Value>, stronger: &Map<String, Value>, within: &str, leftovers: &Leftovers) {
    for (table, stronger) in stronger {
        let path = if within.is_empty() { table.clone() } else { format!("{within}.{table}") };
        let name = tag(&path);
        let new = text(stronger, name);
        let Some(old) = weaker.get(table).and_then(|table| text(table, name)) else { continue };
        let Some(new) = new.filter(|new| *new != old) else { continue };
        for key in leftovers(&path, &old, &new) {
            if let Some(table) = weaker.get_mut(table).and_then(table_of) {
                table.shift_remove(&key);
            }
        }
    }
}

fn table_of(value: &mut Value) -> Option<&mut Map<String, Value>> {
    match &mut value.kind {
        ValueKind::Table(table) => Some(table),
        _ => None,
    }
}

/// The table called `inner` of a table, alone in a map.
fn inner_table(outer: &Value, inner: &str) -> Option<Map<String, Value>> {
    match &outer.kind {
        ValueKind::Table(outer) => Some([(inner.to_owned(), outer.get(inner)?.clone())].into_iter().collect()),
        _ => None,
    }
}

fn table_mut<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Map<String, Value>> {
    match &mut value.kind {
        ValueKind::Table(table) => match &mut table.get_mut(key)?.kind {
            ValueKind::Table(inner) => Some(inner),
            _ => None,
        },
        _ => None,
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    match &value.kind {
        ValueKind::Table(table) => match &table.get(key)?.kind {
            ValueKind::String(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Merged settings as JSON, types untouched.
pub(super) fn to_json(settings: Map<String, Value>) -> serde_json::Map<String, serde_json::Value> {
    settings.into_iter().map(|(key, value)| (key, value_to_json(value.kind))).collect()
}

fn value_to_json(kind: ValueKind) -> serde_json::Value {
    match kind {
        ValueKind::Nil => serde_json::Value::Null,
        ValueKind::Boolean(flag) => flag.into(),
        ValueKind::I64(number) => number.into(),
        ValueKind::U64(number) => number.into(),
        // Layers hold whole numbers of 64 bits only.
        ValueKind::I128(number) => i64::try_from(number).map_or(serde_json::Value::Null, Into::into),
        ValueKind::U128(number) => u64::try_from(number).map_or(serde_json::Value::Null, Into::into),
        ValueKind::Float(number) => number.into(),
        ValueKind::String(text) => text.into(),
        ValueKind::Table(table) => to_json(table).into(),
        ValueKind::Array(elements) => {
            elements.into_iter().map(|element| value_to_json(element.kind)).collect::<Vec<_>>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::layer::Layer;
    use super::super::problem::SourceFile;
    use super::*;

    fn layer(text: &str) -> Map<String, Value> {
        let file = Arc::new(SourceFile { path: PathBuf::from("x.toml"), text: text.to_owned() });
        let (layer, problems) = Layer::from_file(&file);
        assert!(problems.is_empty(), "{problems:?}");
        layer.values
    }

    #[test]
    fn every_finite_double_survives_toml() {
        let doubles = mga_testing::awkward::doubles();
        // As resolved experiments are written, and read.
        let text = toml::to_string(&serde_json::json!({ "x": doubles })).unwrap();
        let read: Vec<f64> = serde_json::from_value(merged(&[&text])["x"].take()).unwrap();
        assert!(mga_testing::awkward::same_bits(&read, &doubles));
    }

    fn merged(texts: &[&str]) -> serde_json::Value {
        let layers: Vec<_> = texts.iter().map(|text| layer(text)).collect();
        to_json(merge(&layers, None)).into()
    }

    #[test]
    fn tables_merge_and_arrays_replace() {
        let value = merged(&["a = [1, 2, 3]\n[t]\nx = 1\ny = 2\n[t.u]\nz = 3", "a = [4]\n[t]\ny = 5\n[t.u]\nw = []"]);
        assert_eq!(value, serde_json::json!({ "a": [4], "t": { "x": 1, "y": 5, "u": { "z": 3, "w": [] } } }));
    }

    #[test]
    fn keys_and_types_come_through_as_written() {
        // Keys with dots, brackets and capitals, at the top and below; texts that look like other types.
        let text =
            "\"a.b\" = 1\n\"a[0]\" = 2\nB = \"yes\"\n[rates]\n\"classifier.\" = 0.1\nFc = 1.0\n[c]\n\"x y\" = \"1\"";
        assert_eq!(
            merged(&[text]),
            serde_json::json!({
                "a.b": 1, "a[0]": 2, "B": "yes",
                "rates": { "classifier.": 0.1, "Fc": 1.0 },
                "c": { "x y": "1" },
            })
        );
        assert_eq!(merged(&["[rates]\n\"a.b\" = 1.0", "[rates]\n\"a.b\" = 2.0"])["rates"]["a.b"], 2.0);
    }

    #[test]
    fn a_value_of_another_kind_replaces() {
        assert_eq!(merged(&["a = 1", "[a]\nb = 2"]), serde_json::json!({ "a": { "b": 2 } }));
        assert_eq!(merged(&["[a]\nb = 2", "a = 1"]), serde_json::json!({ "a": 1 }));
    }
}
