//! The resolved settings: what differs between arms, and what all share.

use std::collections::BTreeMap;

use serde_json::Value;

use super::table::{Cell, Head, Table};
use crate::Report;
use crate::plots::markup::escape;
use crate::results::{Record, flatten, repeats};

/// A table of what differs, and one of what does not.
pub(super) fn section(report: &Report, records: &[Record]) -> String {
    let (mut keys, mut values): (Vec<String>, BTreeMap<String, Vec<Vec<String>>>) = (vec![], BTreeMap::new());
    for (index, record) in records.iter().enumerate() {
        let Some(flat) = record.experiment.as_ref().map(flatten) else { continue };
        for (key, value) in flat {
            if !values.contains_key(&key) {
                keys.push(key.clone());
            }
            let of_arm =
                &mut values.entry(key).or_insert_with(|| vec![vec![]; report.arms.len()])[report.runs[index].arm];
            let text = show(&value);
            if !of_arm.contains(&text) {
                of_arm.push(text);
            }
        }
    }
    let (mut differing, mut same) = (vec![], vec![]);
    for key in &keys {
        let Some(arms) = values.get(key) else { continue };
        // Seeds repeat an arm; and what names a run tells nothing of it.
        let differs = !repeats(key) && arms.iter().any(|values| values != &arms[0]);
        if differs {
            let cells = arms.iter().map(|values| Cell::text(&joined(values)));
            differing.push(std::iter::once(name(key)).chain(cells).collect::<Vec<_>>());
        } else {
            let mut all: Vec<String> = vec![];
            arms.iter().flatten().for_each(|value| {
                if !all.contains(value) {
                    all.push(value.clone())
                }
            });
            same.push(vec![name(key), Cell::text(&joined(&all))]);
        }
    }
    let mut html = String::new();
    if differing.is_empty() {
        html += "<p>No setting differs between arms.</p>\n";
    } else {
        let mut heads = vec![Head::words("setting")];
        heads.extend(report.arms.iter().map(|arm| Head::words(&arm.name)));
        let label = "Settings that differ between arms".to_owned();
        html += "<h3>What differs</h3>\n";
        html += &Table { label, id: "differing", heads, rows: differing, rows_are: "settings" }.element();
    }
    if !same.is_empty() {
        let n = same.len();
        let heads = vec![Head::words("setting"), Head::words("value")];
        let label = "Settings that all arms share".to_owned();
        let table = Table { label, id: "shared", heads, rows: same, rows_are: "settings" }.element();
        html += &format!("<details><summary>What all arms share ({n} settings)</summary>\n{table}</details>\n");
    }
    html
}

fn name(key: &str) -> Cell {
    Cell::html(format!("<code>{}</code>", escape(key)), key)
}

fn show(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), |text| if text.is_empty() { "\"\"".to_owned() } else { text.to_owned() })
}

/// The values of a setting: of seeds there are many.
fn joined(values: &[String]) -> String {
    match values {
        [] => "not set".to_owned(),
        few if few.len() <= 12 => few.join(", "),
        many => format!("{}, … ({} values)", many[..10].join(", "), many.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_values_are_counted() {
        let values: Vec<String> = (1..=20).map(|value| value.to_string()).collect();
        assert_eq!(joined(&values[..3]), "1, 2, 3");
        assert_eq!(joined(&values), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, … (20 values)");
        assert_eq!([joined(&[]), show(&Value::from(""))], ["not set", "\"\""]);
    }
}
