//! `mga results compare`: what is different about runs, and what came of it.

use std::path::PathBuf;

use anyhow::Context;
use mga_report::results::{Evaluation, Record, flatten};
use serde_json::{Map, Value, json};

use crate::output::print;

/// Arguments of `mga results compare`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mga results compare runs/plain-1 runs/mga-1")]
pub(super) struct Args {
    /// Folders of runs.
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Print JSON: `runs`, and `settings`, `identity` and `metrics` with one value per run.
    #[arg(long)]
    json: bool,
}

/// A name and a value a run.
type Row = (String, Vec<Value>);

/// Runs the command.
///
/// # Errors
/// A folder that is no run's.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let mut records = vec![];
    for path in &args.runs {
        let record = Record::read(path).with_context(|| {
            format!("{}: not a run: it has neither cell.json nor experiment.toml nor summary.json", path.display())
        })?;
        records.push(record);
    }
    for record in &records {
        for note in &record.notes {
            say!("note: {}: {note}", record.folder.display());
        }
    }
    let settings = differing(&records, |record| record.experiment.as_ref().map(flatten).unwrap_or_default());
    let identity = differing(&records, identity);
    let metrics = union(&records, |record| {
        let reported = record.summary.as_ref().and_then(|summary| summary.reported());
        reported.into_iter().flat_map(Evaluation::metrics).map(|(key, value)| (key.to_owned(), value.into())).collect()
    });
    if args.json {
        let object = |rows: &[Row]| rows.iter().cloned().map(|(key, v)| (key, Value::from(v))).collect::<Map<_, _>>();
        let folders: Vec<_> = records.iter().map(|record| &record.folder).collect();
        let all = json!({
            "runs": folders, "settings": object(&settings), "identity": object(&identity), "metrics": object(&metrics),
        });
        return Ok(print(serde_json::to_string_pretty(&all)? + "\n")?);
    }
    let mut text = String::new();
    for (number, record) in records.iter().enumerate() {
        text += &format!("{}: {}, {}", number + 1, record.folder.display(), record.state.word());
        text += &record.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        text += "\n";
    }
    text += &table("settings that differ", &settings, false);
    text += &table("identities that differ", &identity, false);
    text += &table("metrics of the reported checkpoints", &metrics, records.len() == 2);
    // Masks and folds differ between arms by design: of the data only the images have to agree.
    for (part, what) in [("images", "other images"), ("numerics", "programs that calculate otherwise")] {
        if identity.iter().any(|(key, values)| key == part && !values.iter().any(Value::is_null)) {
            text += &format!("\nThese runs are of {what}: their numbers cannot be compared.\n");
        }
    }
    Ok(print(text)?)
}

/// The parts of the identity but the hash over all and that of the experiment, whose settings are shown.
fn identity(record: &Record) -> Map<String, Value> {
    let identity = record.identity.as_ref().and_then(|identity| serde_json::to_value(identity).ok());
    let mut parts = identity.as_ref().map(flatten).unwrap_or_default();
    parts.retain(|key, _| key != "id" && key != "experiment");
    parts
}

fn union(records: &[Record], values: impl Fn(&Record) -> Map<String, Value>) -> Vec<Row> {
    let maps: Vec<Map<String, Value>> = records.iter().map(values).collect();
    let mut rows: Vec<Row> = vec![];
    for key in maps.iter().flat_map(|map| map.keys()) {
        if !rows.iter().any(|(known, _)| known == key) {
            let values = maps.iter().map(|map| map.get(key).cloned().unwrap_or(Value::Null));
            rows.push((key.clone(), values.collect()));
        }
    }
    rows
}

fn differing(records: &[Record], values: impl Fn(&Record) -> Map<String, Value>) -> Vec<Row> {
    let mut rows = union(records, values);
    rows.retain(|(_, values)| values.iter().any(|value| Some(value) != values.first()));
    rows
}

fn table(title: &str, rows: &[Row], difference: bool) -> String {
    if rows.is_empty() {
        return format!("\n{title}: none\n");
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let count = rows.first().map_or(0, |(_, values)| values.len());
    let numbers = (1..=count).map(|number| number.to_string());
    table.set_header(std::iter::once(title.to_owned()).chain(numbers).chain(difference.then(|| "2 - 1".to_owned())));
    for (key, values) in rows {
        let change = match values.as_slice() {
            [one, two] if difference => one.as_f64().zip(two.as_f64()).map(|(one, two)| format!("{:+.4}", two - one)),
            _ => None,
        };
        table.add_row(std::iter::once(key.clone()).chain(values.iter().map(shown)).chain(change));
    }
    format!("\n{}\n", table.trim_fmt())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        // Sixteen digits of a hash tell two apart.
        Value::String(text) if text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) => text[..16].to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            let value = number.as_f64().unwrap_or(f64::NAN);
            // Metrics to four digits; small ones as they are.
            if value.abs() < 0.01 { number.to_string() } else { format!("{}", (value * 1e4).round() / 1e4) }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let record = |name: &str, attention: &str| {
            let run = folder.path().join(name);
            std::fs::create_dir(&run).unwrap();
            std::fs::write(run.join("experiment.toml"), format!("seed = 1\n[model]\nattention = \"{attention}\""))
                .unwrap();
            Record::read(&run).unwrap()
        };
        let records = [record("a", "none"), record("b", "residual")];
        let settings = differing(&records, |record| record.experiment.as_ref().map(flatten).unwrap_or_default());
        assert_eq!(settings, [("model.attention".to_owned(), vec!["none".into(), "residual".into()])]);
        assert_eq!(differing(&records, identity), []);
        let text = table("metrics", &[("top1".to_owned(), vec![0.5.into(), 0.625.into()])], true);
        assert!(text.contains("0.5") && text.contains("+0.1250"), "{text}");
        assert_eq!(
            [shown(&json!(0.00012345)), shown(&json!(0.123456)), shown(&json!(3))],
            ["0.00012345", "0.1235", "3"]
        );
    }
}
