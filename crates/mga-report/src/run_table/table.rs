//! The table itself.

use std::collections::BTreeMap;

use anyhow::Context;
use mga_experiment::nearest;
use serde_json::{Map, Value};

use super::column::Column;
use super::sections::SECTIONS;
use crate::results::Record;

/// A table with one row per run, in the order of the records.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunTable {
    /// The columns, each as long as there are runs.
    pub columns: Vec<Column>,
    rows: usize,
}

impl RunTable {
    /// Creates the table with all values of the records.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let mut columns: Vec<Column> = vec![];
        for section in &SECTIONS {
            let rows: Vec<Map<String, Value>> = records.iter().map(section.values).collect();
            let mut places = BTreeMap::new();
            let mut names: Vec<&String> = vec![];
            for name in rows.iter().flat_map(|row| row.keys()) {
                places.entry(name).or_insert_with(|| names.push(name));
            }
            for name in names {
                // Names that differ in case alone are one to SQLite; what comes first is what everybody has.
                if columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)) {
                    continue;
                }
                let values = rows.iter().map(|row| row.get(name).cloned().unwrap_or(Value::Null)).collect();
                columns.push(Column::settle(name.clone(), values, section.empty));
            }
        }
        Self { columns, rows: records.len() }
    }

    /// Returns the number of runs.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the column of that name.
    ///
    /// # Errors
    /// There is none; the message names the nearest.
    pub fn column(&self, name: &str) -> anyhow::Result<&Column> {
        let found = self.columns.iter().find(|column| column.name == name);
        found.with_context(|| {
            let names = || self.columns.iter().map(|column| column.name.as_str());
            let last = |full: &&str| full.rsplit('.').next() == Some(name);
            let meant = nearest(name, names()).or_else(|| names().find(last));
            let meant = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
            format!("no run has `{name}`{meant}; `mga results list DIR --json` shows every column")
        })
    }

    /// Returns a run as a JSON object: every column with its value, or null.
    #[must_use]
    pub fn row(&self, row: usize) -> Map<String, Value> {
        let value = |column: &Column| column.values.get(row).cloned().unwrap_or(Value::Null);
        self.columns.iter().map(|column| (column.name.clone(), value(column))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::fixture;
    use super::*;

    #[test]
    fn every_run_is_a_row_whatever_became_of_it() {
        let (_folder, records) = fixture::records();
        let table = RunTable::of(&records);
        assert_eq!(table.rows(), 4);
        let values = |name: &str| table.column(name).unwrap().values.clone();
        assert_eq!(values("state"), ["finished", "finished", "failed", "running"]);
        assert_eq!(values("arm")[..2], ["model.attention=none", "model.attention=residual"]);
        assert_eq!(values("error")[2], "the loss is NaN");
        assert_eq!(values("top1"), [0.5.into(), 0.75.into(), Value::Null, Value::Null]);
        assert_eq!(values("selected.epoch"), [4.into(), 5.into(), Value::Null, Value::Null]);
        assert_eq!(values("last.top1")[0], 1.0);
        // This one has no experiment.toml yet: its cell says it.
        assert_eq!(values("model.attention")[3], "residual");
        assert_eq!(values("model.residual_weights")[2..], ["[0.5,0.5]".into(), Value::Null]);
        let kinds = |name: &str| table.column(name).unwrap().kind;
        assert_eq!(
            ["key", "baseline", "order", "seconds", "selected.mask_iou", "identity.classes"].map(kinds),
            [Kind::Text, Kind::Boolean, Kind::Integer, Kind::Float, Kind::Float, Kind::Integer]
        );
        assert_eq!(table.row(1)["model.attention"], "residual");
        let names: Vec<_> = table.columns.iter().map(|column| &column.name).collect();
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len(), "{names:?}");
    }

    #[test]
    fn an_unknown_column_names_the_nearest() {
        let (_folder, records) = fixture::records();
        let table = RunTable::of(&records);
        let said = |name: &str| table.column(name).unwrap_err().to_string();
        assert!(said("top_1").contains("`top1`"), "{}", said("top_1"));
        assert!(said("attention").contains("`model.attention`"), "{}", said("attention"));
        assert!(RunTable::of(&[]).column("key").is_err());
    }
}
