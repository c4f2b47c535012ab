//! What the finished runs of a report have in common.

use serde_json::Value;

use super::wording::show;
use crate::results::{Record, Summary};

/// The finished runs.
pub(super) struct Common<'a>(pub(super) &'a [&'a Record]);

impl<'a> Common<'a> {
    /// The runs themselves.
    pub(super) fn records(&self) -> &'a [&'a Record] {
        self.0
    }

    /// The different values of something, in the order of the runs.
    pub(super) fn values<T: PartialEq>(&self, of: impl Fn(&'a Record) -> Option<T>) -> Vec<T> {
        let mut values = vec![];
        for value in self.0.iter().filter_map(|record| of(record)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    /// A setting that all runs share.
    pub(super) fn setting(&self, key: &str) -> Option<&'a Value> {
        let first = self.0.first()?.setting(key)?;
        self.0.iter().all(|record| record.setting(key) == Some(first)).then_some(first)
    }

    /// The setting as people read it.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.setting(key).map(show)
    }

    /// The setting as a number.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        self.setting(key).and_then(Value::as_f64)
    }

    /// A number of the summaries: `200`, or `180 to 220` where runs differ.
    pub(super) fn images(&self, of: impl Fn(&Summary) -> u64) -> String {
        let counts = self.values(|record| record.summary.as_ref().map(&of));
        match (counts.iter().min(), counts.iter().max()) {
            (Some(low), Some(high)) if low == high => low.to_string(),
            (Some(low), Some(high)) => format!("{low} to {high}"),
            _ => "an unknown number of".to_owned(),
        }
    }
}
