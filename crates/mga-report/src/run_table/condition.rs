//! `--where`: which runs of a table are meant.

use std::cmp::Ordering;
use std::str::FromStr;

use serde_json::Value;

use super::table::RunTable;

/// A column compared with a value: `model.attention=none`, `top1>=0.9`, `state!=finished`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    key: String,
    operator: Operator,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// The longer first: `<=` is not `<` with a value that begins with `=`.
const OPERATORS: [(&str, Operator); 6] = [
    ("!=", Operator::Unequal),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = text.find(['=', '!', '<', '>']).unwrap_or(text.len());
        let (key, rest) = text.split_at(place);
        let found = OPERATORS.iter().find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?)));
        match found {
            Some((operator, value)) if !key.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), operator, value: value.trim().to_owned() })
            }
            _ => Err("expected KEY=VALUE, or one of !=, <, <=, >, >= between them".to_owned()),
        }
    }
}

impl Condition {
    /// Returns the column that is compared.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the rows of `table`, out of `rows`, that fulfil the condition. A missing value equals only the empty
    /// value.
    ///
    /// # Errors
    /// The table has no such column; a value to be greater or less than is no number.
    pub fn select(&self, table: &RunTable, rows: &[usize]) -> anyhow::Result<Vec<usize>> {
        let column = table.column(&self.key)?;
        let wanted: Option<f64> = self.value.parse().ok();
        let ordered = !matches!(self.operator, Operator::Equal | Operator::Unequal);
        anyhow::ensure!(
            !ordered || wanted.is_some(),
            "--where {}: expected a number to compare with, found `{}`",
            self.key,
            self.value
        );
        let fulfils = |row: usize| {
            let value = column.values.get(row).unwrap_or(&Value::Null);
            let order = match (value.as_f64(), wanted) {
                (Some(value), Some(wanted)) => value.partial_cmp(&wanted),
                _ => (column.text(row) == self.value).then_some(Ordering::Equal),
            };
            match self.operator {
                Operator::Equal => order == Some(Ordering::Equal),
                Operator::Unequal => order != Some(Ordering::Equal),
                Operator::Less => order == Some(Ordering::Less),
                Operator::Greater => order == Some(Ordering::Greater),
                Operator::AtMost => !value.is_null() && matches!(order, Some(Ordering::Less | Ordering::Equal)),
                Operator::AtLeast => !value.is_null() && matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            }
        };
        Ok(rows.iter().copied().filter(|&row| fulfils(row)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn runs_are_selected() {
        let (_folder, records) = fixture::records();
        let table = RunTable::of(&records);
        let select = |text: &str| text.parse::<Condition>().unwrap().select(&table, &[0, 1, 2, 3]);
        let rows = |text: &str| select(text).unwrap();
        assert_eq!(rows("model.attention=none"), [0, 2]);
        assert_eq!(rows("state != finished"), [2, 3]);
        assert_eq!(rows("top1>=0.5"), [0, 1]);
        assert_eq!(rows("top1 > 0.5"), [1]);
        assert_eq!(rows("top1=0.50"), [0]);
        assert_eq!(rows("top1="), [2, 3]);
        assert_eq!(rows("top1<0.1"), [0; 0]);
        assert_eq!(rows("baseline=true"), [0, 2]);
        assert_eq!(rows("error=the loss is NaN"), [2]);
        assert!(select("top2=1").unwrap_err().to_string().contains("did you mean `top1`"));
        assert!(select("state<finished").unwrap_err().to_string().contains("expected a number"));
        for wrong in ["top1", "=3", "", "a!3"] {
            assert!(wrong.parse::<Condition>().is_err(), "{wrong}");
        }
    }
}
