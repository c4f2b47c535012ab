//! Runs outside a sweep: which settings tell them apart.

use std::collections::BTreeSet;

use mga_experiment::KeyPath;
use mga_sweep::repeats;
use serde_json::{Map, Value};

use super::record::{Record, flatten};

/// Settings that change no number, or say only where things lie.
const IGNORED: [&str; 9] = [
    "name",
    "description",
    "device",
    "threads",
    "data.root",
    "data.mask_root",
    "data.workers",
    "data.prefetch",
    "train.checkpoint_every",
];

/// Gives records without a `cell.json` the settings and the replicate in which their experiments differ.
///
/// A setting that one experiment has and another has not differs as well; it is null where it is missing.
pub fn derive_cells(records: &mut [Record]) {
    let bare: Vec<usize> = (0..records.len()).filter(|&i| !records[i].has_cell).collect();
    let flat: Vec<Map<String, Value>> =
        bare.iter().map(|&i| records[i].experiment.as_ref().map(flatten).unwrap_or_default()).collect();
    let known: Vec<_> = flat.iter().filter(|flat| !flat.is_empty()).collect();
    let mut keys: Vec<&String> = vec![];
    let mut seen = BTreeSet::new();
    for key in known.iter().flat_map(|flat| flat.keys()) {
        if seen.insert(key) && known.iter().any(|flat| flat.get(key) != known[0].get(key)) {
            keys.push(key);
        }
    }
    for (&index, flat) in bare.iter().zip(&flat) {
        let cell = &mut records[index].cell;
        cell.order = index as u64;
        for &key in keys.iter().filter(|key| !flat.is_empty() && !IGNORED.contains(&key.as_str())) {
            let value = flat.get(key).cloned().unwrap_or(Value::Null);
            let into = if repeats(&KeyPath::dotted(key)) { &mut cell.replicate } else { &mut cell.settings };
            into.insert(key.clone(), value);
        }
        // One seed a run is a replicate even where all have the same.
        if let Some(seed) = flat.get("seed").filter(|_| !cell.replicate.contains_key("seed")) {
            cell.replicate.insert("seed".to_owned(), seed.clone());
        }
    }
}
