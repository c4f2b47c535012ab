//! The single values of a run's record, in groups that stand together in the table.

use serde_json::{Map, Value, json};

use super::column::Kind;
use crate::results::{Cell, Evaluation, Record, flatten};

/// A group of columns: the kind of one that is empty in every run, and the values of a run.
pub(super) struct Section {
    pub(super) empty: Kind,
    pub(super) values: fn(&Record) -> Map<String, Value>,
}

/// The groups, in the order of the table.
pub(super) const SECTIONS: [Section; 9] = [
    Section { empty: Kind::Text, values: run },
    Section { empty: Kind::Float, values: seconds },
    Section { empty: Kind::Float, values: reported },
    Section { empty: Kind::Float, values: selected },
    Section { empty: Kind::Float, values: last },
    Section { empty: Kind::Integer, values: summary },
    Section { empty: Kind::Text, values: identity },
    Section { empty: Kind::Text, values: settings },
    Section { empty: Kind::Text, values: environment },
];

fn run(record: &Record) -> Map<String, Value> {
    let cell = &record.cell;
    map(json!({
        "key": record.key,
        "folder": record.folder.to_string_lossy(),
        "sweep": cell.sweep,
        "arm": arm(cell),
        "replicate": cell.replicate_label(),
        "baseline": cell.baseline,
        "order": cell.order,
        "state": record.state.word(),
        "attempts": record.attempts,
        "error": record.error,
        "notes": (!record.notes.is_empty()).then(|| record.notes.join("; ")),
    }))
}

fn seconds(record: &Record) -> Map<String, Value> {
    map(json!({
        "seconds": record.seconds,
        "training_seconds": record.summary.as_ref().map(|summary| summary.training_seconds),
    }))
}

/// The metrics that a report shows, by their plain names.
fn reported(record: &Record) -> Map<String, Value> {
    let evaluation = record.summary.as_ref().and_then(|summary| summary.reported());
    evaluation.into_iter().flat_map(Evaluation::metrics).map(|(key, value)| (key.to_owned(), value.into())).collect()
}

fn selected(record: &Record) -> Map<String, Value> {
    evaluation("selected", record.summary.as_ref().and_then(|summary| summary.selected.as_ref()))
}

fn last(record: &Record) -> Map<String, Value> {
    evaluation("last", record.summary.as_ref().and_then(|summary| summary.last.as_ref()))
}

fn evaluation(checkpoint: &str, evaluation: Option<&Evaluation>) -> Map<String, Value> {
    let values = evaluation.into_iter().flat_map(|evaluation| &evaluation.0);
    // A metric without a value has its column all the same; "kind" is the log's.
    values
        .filter(|(key, value)| *key != "kind" && !value.is_object())
        .map(|(key, value)| (format!("{checkpoint}.{key}"), value.clone()))
        .collect()
}

fn summary(record: &Record) -> Map<String, Value> {
    let Some(summary) = &record.summary else { return Map::new() };
    map(json!({
        "split": summary.split,
        "select_on": summary.select_on,
        "selected_on_test": summary.selected_on_test,
        "epochs": summary.epochs,
        "steps": summary.steps,
        "stopped_early": summary.stopped_early,
        "best_epoch": summary.best_epoch,
        "best_score": summary.best_score,
        "train_images": summary.train_images,
        "validation_images": summary.validation_images,
        "test_images": summary.test_images,
        "skipped_images": summary.skipped.len(),
    }))
}

fn identity(record: &Record) -> Map<String, Value> {
    let identity = record.identity.as_ref().and_then(|identity| serde_json::to_value(identity).ok());
    let parts = identity.as_ref().map(flatten).unwrap_or_default();
    parts.into_iter().map(|(key, value)| (format!("identity.{key}"), value)).collect()
}

/// The resolved experiment; of a run that has not begun, what its cell sets.
fn settings(record: &Record) -> Map<String, Value> {
    let mut flat = record.experiment.as_ref().map(flatten).unwrap_or_default();
    for (key, value) in record.cell.settings.iter().chain(&record.cell.replicate) {
        flat.entry(key.clone()).or_insert_with(|| value.clone());
    }
    flat
}

fn environment(record: &Record) -> Map<String, Value> {
    let flat = record.environment.as_ref().map(flatten).unwrap_or_default();
    flat.into_iter().map(|(key, value)| (format!("environment.{key}"), value)).collect()
}

/// An arm as people read it: its name, then its settings.
fn arm(cell: &Cell) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let settings = cell.settings.iter().map(|(key, value)| format!("{key}={}", plain(value)));
    cell.variant.iter().cloned().chain(settings).collect::<Vec<_>>().join(", ")
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
