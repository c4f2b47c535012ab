//! The metrics of the table: their names, and how people read them.

use anyhow::Context;
use mga_experiment::nearest;

use super::measures::Column;
use crate::results::Record;

/// Key, title, whether in per cent, whether more is better, digits of what is not in per cent.
const KNOWN: [(&str, &str, bool, bool, usize); 19] = [
    ("top1", "top-1 accuracy", true, true, 1),
    ("top5", "top-5 accuracy", true, true, 1),
    ("balanced_accuracy", "balanced accuracy", true, true, 1),
    ("macro_f1", "macro F1", true, true, 1),
    ("mean_iou", "mean IoU", true, true, 1),
    ("boundary_f", "boundary F", true, true, 1),
    ("pixel_accuracy", "pixel accuracy", true, true, 1),
    ("cross_entropy", "cross entropy", false, false, 3),
    ("mask_auc", "mask AUC", false, true, 3),
    ("mask_correlation", "mask correlation", false, true, 3),
    ("mask_overlap", "mask overlap", true, true, 1),
    ("mask_overlap_chance", "mask overlap by chance", true, true, 1),
    ("reference_auc", "reference AUC", false, true, 3),
    ("reference_correlation", "reference correlation", false, true, 3),
    ("reference_overlap", "reference overlap", true, true, 1),
    ("reference_overlap_chance", "reference overlap by chance", true, true, 1),
    ("mask_reference_iou", "IoU of mask and reference", true, true, 1),
    ("mask_iou", "mask IoU", true, true, 1),
    ("mask_mse", "mask MSE", false, false, 4),
];

/// Columns beside the one that arms are compared by, where runs have them.
const SHOWN: [&str; 7] =
    ["top1", "balanced_accuracy", "macro_f1", "mean_iou", "boundary_f", "pixel_accuracy", "cross_entropy"];

/// Columns of attention against masks: the first of these groups whose first metric runs have. Against the same masks in
/// every arm, else against each arm's own, else what runs of release 0.1.0 have.
const AGREEMENT: [&[&str]; 3] = [
    &["reference_auc", "reference_correlation", "reference_overlap", "reference_overlap_chance", "mask_reference_iou"],
    &["mask_auc", "mask_correlation", "mask_overlap", "mask_overlap_chance"],
    &["mask_iou", "mask_correlation"],
];

/// From so many test images a hundredth of a per cent means something.
const MANY_IMAGES: u64 = 2000;

/// The metrics that these runs have, in the order in which they come.
pub(super) fn measured<'a>(records: &[&'a Record]) -> Vec<&'a str> {
    let mut there: Vec<&str> = vec![];
    for (key, _) in records.iter().filter_map(|record| record.summary.as_ref()?.reported()).flat_map(|e| e.metrics()) {
        if !there.contains(&key) {
            there.push(key);
        }
    }
    there
}

/// The columns of a report: the wanted metric, else what the experiments select by, else the first that runs have; then
/// the others that are usually shown, and those that were asked for by key.
///
/// # Errors
/// No finished run has the wanted metric.
pub(super) fn columns(records: &[&Record], wanted: Option<&str>, asked: &[String]) -> anyhow::Result<Vec<Column>> {
    let there = measured(records);
    let selected = || {
        let mut metrics = records.iter().filter_map(|record| record.setting("eval.metric")?.as_str());
        let first = metrics.next()?;
        (metrics.all(|metric| metric == first) && there.contains(&first)).then_some(first)
    };
    let first = match wanted {
        Some(wanted) if there.contains(&wanted) || there.is_empty() => wanted,
        Some(wanted) => {
            let hint = nearest(wanted, there.iter().copied()).map(|near| format!("; did you mean {near}?"));
            let known = there.join(", ");
            anyhow::bail!("--metric {wanted}: no finished run has it; they have {known}{}", hint.unwrap_or_default())
        }
        None => selected()
            .or_else(|| SHOWN.iter().copied().find(|key| there.contains(key)))
            .or_else(|| there.first().copied())
            // Nothing is finished: the table has names and states alone.
            .unwrap_or("top1"),
    };
    let images = records.iter().filter_map(|record| record.summary.as_ref()?.reported()?.images()).min().unwrap_or(0);
    let agreement = AGREEMENT.iter().find(|group| there.contains(&group[0])).copied().unwrap_or_default();
    let others = SHOWN.iter().chain(agreement).copied().filter(|&key| key != first && there.contains(&key));
    let others = others.collect::<Vec<_>>();
    // Those that other crates registered say of themselves in the runs how they are read.
    let more = there.iter().copied().filter(|key| *key != first && !is_known(key) && described(records, key).is_some());
    let mut all: Vec<&str> = std::iter::once(first).chain(others).chain(more).collect();
    for key in asked.iter().filter_map(|asked| there.iter().find(|key| *key == asked)) {
        if !all.contains(key) {
            all.push(key);
        }
    }
    Ok(all.into_iter().map(|key| column_of(records, key, images)).collect())
}

/// Whether the metric is one of this workspace.
fn is_known(key: &str) -> bool {
    KNOWN.iter().any(|(known, ..)| *known == key)
}

/// What the runs' `summary.json` says of a metric: whether it is read in per cent, and whether more is better.
fn described(records: &[&Record], key: &str) -> Option<(bool, bool)> {
    let described = |record: &&Record| record.summary.as_ref()?.others.get("metrics")?.get(key).cloned();
    let metric = records.iter().find_map(described)?;
    Some((metric.get("unit")? == "percent", metric.get("better")? == "higher"))
}

/// A metric of so many test images, as these runs describe it.
pub(super) fn column_of(records: &[&Record], key: &str, images: u64) -> Column {
    let column = column(key, images);
    match described(records, key).filter(|_| !is_known(key)) {
        Some((percent, higher_is_better)) => {
            let decimals = if percent { 1 + usize::from(images >= MANY_IMAGES) } else { column.decimals };
            Column { percent, higher_is_better, decimals, ..column }
        }
        None => column,
    }
}

/// A metric's name for people.
pub(super) fn title(key: &str) -> String {
    KNOWN.iter().find(|(known, ..)| *known == key).map_or_else(|| key.replace('_', " "), |known| known.1.to_owned())
}

/// A metric of so many test images.
fn column(key: &str, images: u64) -> Column {
    let known = KNOWN.iter().find(|(known, ..)| *known == key);
    let (percent, higher_is_better, decimals) = known.map_or((false, true, 3), |k| (k.2, k.3, k.4));
    let decimals = if percent && images >= MANY_IMAGES { decimals + 1 } else { decimals };
    Column { key: key.to_owned(), title: title(key), percent, higher_is_better, decimals }
}

/// The first column.
///
/// # Errors
/// There is none, which [`columns`] never gives.
pub(super) fn first(columns: &[Column]) -> anyhow::Result<&Column> {
    columns.first().context("a report without a metric")
}
