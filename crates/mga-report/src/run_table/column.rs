//! A column of the table: values of one kind, or nothing.

use serde_json::Value;

/// The type of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// Whole numbers of 64 bits.
    Integer,
    /// Numbers.
    Float,
    /// Text; lists and tables are JSON.
    Text,
}

/// A column: every value is null or of the column's kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Dotted: `model.attention`, `selected.top1`.
    pub name: String,
    /// The type of the values.
    pub kind: Kind,
    /// The values, one for each run.
    pub values: Vec<Value>,
}

impl Column {
    /// Settles on the narrowest kind that holds every value, and makes the values of that kind. Where there is none, the
    /// kind is `empty`.
    pub(super) fn settle(name: String, values: Vec<Value>, empty: Kind) -> Self {
        let mut present = values.iter().filter(|value| !value.is_null()).peekable();
        let kind = if present.peek().is_none() {
            empty
        } else if present.clone().all(Value::is_boolean) {
            Kind::Boolean
        } else if present.clone().all(Value::is_i64) {
            Kind::Integer
        // A seed beyond 63 bits is kept to the digit, as text.
        } else if present.all(|value| value.is_f64() || value.is_i64()) {
            Kind::Float
        } else {
            Kind::Text
        };
        let fit = |value: Value| match (kind, value) {
            (_, Value::Null) => Value::Null,
            (Kind::Float, value) => value.as_f64().map_or(Value::Null, Value::from),
            (Kind::Text, value @ Value::String(_)) => value,
            (Kind::Text, value) => Value::String(value.to_string()),
            (_, value) => value,
        };
        Self { name, kind, values: values.into_iter().map(fit).collect() }
    }

    /// Formats the value of a row: empty if there is none, and numbers so that they are read back to the bit.
    #[must_use]
    pub fn text(&self, row: usize) -> String {
        match self.values.get(row) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_narrowest_kind_that_holds_all() {
        let settled = |values: Value| {
            let Value::Array(values) = values else { panic!("a list") };
            let column = Column::settle("a".to_owned(), values, Kind::Float);
            (column.kind, json!(column.values))
        };
        assert_eq!(settled(json!([null, true])), (Kind::Boolean, json!([null, true])));
        assert_eq!(settled(json!([3, null, -1])), (Kind::Integer, json!([3, null, -1])));
        assert_eq!(settled(json!([3, 0.5])), (Kind::Float, json!([3.0, 0.5])));
        assert_eq!(settled(json!(["none", 2, [0.5, 1]])), (Kind::Text, json!(["none", "2", "[0.5,1]"])));
        assert_eq!(settled(json!([u64::MAX, 1])), (Kind::Text, json!([u64::MAX.to_string(), "1"])));
        assert_eq!(settled(json!([null, null])), (Kind::Float, json!([null, null])));
    }
}
