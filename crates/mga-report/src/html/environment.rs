//! The environment of the runs: program, machine, versions.

use askama::Template;
use serde_json::Value;

use super::section::{Content, Reported};
use crate::results::flatten;

/// A value, and how many runs have it.
type Counted = Vec<(String, usize)>;

/// The section.
#[derive(Template)]
#[template(path = "html/environment.html")]
struct Section {
    rows: Vec<Row>,
    /// Runs that say something, and those that do not.
    runs: usize,
    silent: usize,
}

struct Row {
    name: String,
    values: Vec<Said>,
}

/// A value, and how many runs have it where not all do.
struct Said {
    text: String,
    count: Option<usize>,
}

/// A row a key of `environment.json`; values in which runs differ are counted.
pub(super) fn section(Reported { records, .. }: &Reported<'_>) -> anyhow::Result<Content> {
    let flat: Vec<_> = records.iter().filter_map(|record| record.environment.as_ref().map(flatten)).collect();
    let mut keys: Vec<(&str, Counted)> = vec![];
    for (key, value) in flat.iter().flat_map(|flat| flat.iter()) {
        let place = keys.iter().position(|(known, _)| known == key).unwrap_or_else(|| {
            keys.push((key, vec![]));
            keys.len() - 1
        });
        let text = if key == "started_unix_seconds" { day(value) } else { show(value) };
        let values = &mut keys[place].1;
        match values.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => values.push((text, 1)),
        }
    }
    if keys.is_empty() {
        return Ok(Content::default());
    }
    let runs = flat.len();
    let rows = keys.into_iter().map(|(key, values)| row(key, values, runs)).collect();
    Content::default().template(&Section { rows, runs, silent: records.len() - runs })
}

fn row(key: &str, values: Counted, runs: usize) -> Row {
    let name = if key == "started_unix_seconds" { "started (UTC)".to_owned() } else { key.replace('_', " ") };
    let of = |(text, count)| Said { text, count: Some(count).filter(|count| *count != runs) };
    Row { name, values: values.into_iter().map(of).collect() }
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(show).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// The day of a time in seconds since 1970, as 2026-01-31 (H. Hinnant, days from civil, solved for the date).
fn day(seconds: &Value) -> String {
    let Some(seconds) = seconds.as_u64() else { return show(seconds) };
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!("{}-{month:02}-{day:02}", year + era * 400 + u64::from(month <= 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_by_the_calendar() {
        let days =
            [0u64, 951_782_400, 951_868_800, 1_767_225_599, 1_767_225_600].map(|seconds| day(&Value::from(seconds)));
        assert_eq!(days, ["1970-01-01", "2000-02-29", "2000-03-01", "2025-12-31", "2026-01-01"]);
    }

    #[test]
    fn foreign_values_are_text() {
        let values = vec![("<script>".to_owned(), 1), ("b".to_owned(), 2)];
        let html = Section { rows: vec![row("<key>", values, 3)], runs: 3, silent: 0 }.render().unwrap();
        assert!(html.contains("&#60;script&#62;") && html.contains("&#60;key&#62;") && html.contains("(2 of 3 runs)"));
    }
}
