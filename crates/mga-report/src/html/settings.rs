//! The resolved settings: what differs between arms, and what all share. A setting of one stage stands under its table.

use std::collections::BTreeMap;

use askama::Template;
use mga_experiment::KeyPath;
use mga_sweep::repeats;
use serde_json::Value;

use super::markup::Markup;
use super::section::{Content, Reported};
use super::table::{Cell, Head, Shown, Table};
use crate::results::flatten;

/// The section.
#[derive(Template)]
#[template(path = "html/settings.html")]
struct Section {
    differing: Option<Markup>,
    /// How many settings all arms share, and the table of them.
    shared: Option<(usize, Markup)>,
}

/// A table of what differs, and one of what does not.
pub(super) fn section(Reported { report, records }: &Reported<'_>) -> anyhow::Result<Content> {
    let (mut keys, mut values): (Vec<String>, BTreeMap<String, Vec<Vec<String>>>) = (vec![], BTreeMap::new());
    for (index, record) in records.iter().enumerate() {
        let Some(flat) = record.resolved.as_ref().map(flatten) else { continue };
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
        let differs = !repeats(&KeyPath::dotted(key)) && arms.iter().any(|values| values != &arms[0]);
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
    let differing = (!differing.is_empty()).then(|| {
        let mut heads = vec![Head::words("setting")];
        heads.extend(report.arms.iter().map(|arm| Head::words(&arm.name)));
        let label = "Settings that differ between arms".to_owned();
        Table { label, id: "differing", heads, rows: differing, rows_are: "settings" }
    });
    let shared = (!same.is_empty()).then(|| {
        let heads = vec![Head::words("setting"), Head::words("value")];
        let label = "Settings that all arms share".to_owned();
        Table { label, id: "shared", heads, rows: same, rows_are: "settings" }
    });
    let element = |table: &Table| anyhow::Ok((table.rows.len(), Markup::of(table)?));
    Content::default().template(&Section {
        differing: differing.as_ref().map(element).transpose()?.map(|(_, table)| table),
        shared: shared.as_ref().map(element).transpose()?,
    })
}

fn name(key: &str) -> Cell {
    Cell::sorted(Shown::Code(key.to_owned()), key)
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
