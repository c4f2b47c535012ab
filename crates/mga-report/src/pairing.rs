//! The pairing of runs: which are compared with each other, and which must not be.

use serde_json::Value;

use crate::results::Record;

/// Whether a replicate's key draws test images anew, so that its values are not independent: folds and random splits.
pub(super) fn resamples_test(key: &str) -> bool {
    key.rsplit('.').next() == Some("fold") || key == "data.split.seed"
}

/// The part of a run's replicate that says which split it is of; empty where no split is drawn anew.
pub(super) fn split_of(record: &Record) -> String {
    let keys = record.cell.replicate.iter().filter(|(key, _)| resamples_test(key));
    let mut parts: Vec<_> = keys.map(|(key, value)| format!("{key}={value}")).collect();
    parts.sort();
    parts.join("\n")
}

/// Whether folds alone draw its test images anew.
pub(super) fn is_of_folds(record: &Record) -> bool {
    record.cell.replicate.keys().filter(|key| resamples_test(key)).all(|key| key.rsplit('.').next() == Some("fold"))
}

/// Whether two parts of identities differ: where a program wrote none, nothing is known.
pub(super) fn differ(one: &str, other: &str) -> bool {
    !one.is_empty() && !other.is_empty() && one != other
}

/// Why the numbers of two runs cannot be compared; `None` where they can, or where the runs cannot say.
pub(super) fn clash(one: &Record, other: &Record) -> Option<&'static str> {
    let (a, b) = (one.identity.as_ref()?, other.identity.as_ref()?);
    if a.numerics != b.numerics {
        return Some("made by programs of different numerics");
    }
    if a.classes != b.classes {
        return Some("of different classes");
    }
    if differ(&a.images, &b.images) {
        return Some("of different images or labels");
    }
    if a.data != b.data && data_key(one) == data_key(other) {
        return Some("made from different data");
    }
    if a.weights != b.weights && weights_key(one) == weights_key(other) {
        return Some("begun with different weights under one name");
    }
    None
}

/// What decides a run's data: settings and replicates that may change images, labels, splits or masks. The seed of the
/// training alone does not.
pub(super) fn data_key(record: &Record) -> String {
    let of_data =
        |key: &str| key.starts_with("data.") || key == "model.mask_guidance" || key == "objective.mask_weight";
    let settings = record.cell.settings.iter().filter(|(key, _)| of_data(key));
    let replicate = record.cell.replicate.iter().filter(|(key, _)| *key != "seed");
    join(settings.chain(replicate))
}

/// What decides a run's images and labels, whichever split they are in.
pub(super) fn images_key(record: &Record) -> String {
    let apart = ["masks", "validation", "split", "fold", "train", "eval", "batch_size", "shuffle", "drop_last"];
    let of_images =
        |key: &str| key.strip_prefix("data.").is_some_and(|key| !apart.contains(&key.split('.').next().unwrap_or(key)));
    let both = record.cell.settings.iter().chain(&record.cell.replicate);
    join(both.filter(|(key, _)| of_images(key)))
}

/// What decides a run's weights.
pub(super) fn weights_key(record: &Record) -> String {
    let of_weights = |key: &str| key == "model.weights" || key == "model.backbone";
    join(record.cell.settings.iter().filter(|(key, _)| of_weights(key)))
}

fn join<'a>(settings: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let mut parts: Vec<_> = settings.map(|(key, value)| format!("{key}={value}")).collect();
    parts.sort();
    parts.join("\n")
}
