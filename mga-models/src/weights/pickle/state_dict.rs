//! Finding the state dict in what a checkpoint holds beside it.

use mga_core::Result;

use super::object::{Heap, Id, Object, TensorSpec};
use super::refused;
use super::tensor::StoredTensor;

/// Where training programs put the state dict, the likeliest first.
const PLACES: [&str; 8] =
    ["state_dict", "model_state_dict", "net", "model", "params", "params_ema", "model_ema", "network"];

/// How many of them may lie in each other.
const DEPTH: usize = 4;

/// The state dict of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Its tensors, in the order of the file.
    pub tensors: Vec<(String, StoredTensor)>,
    /// The keys below which they lay, from the outside: `["net"]`.
    pub below: Vec<String>,
    /// What lay beside them and is no tensor, with its kind: `epoch (an integer)`.
    pub left_out: Vec<String>,
}

/// The same before the numbers are read.
pub(super) struct Found {
    pub(super) tensors: Vec<(String, TensorSpec)>,
    pub(super) below: Vec<String>,
    pub(super) left_out: Vec<String>,
}

/// Looks for the state dict from `root` down.
pub(super) fn find(heap: &Heap, root: Id) -> Result<Found> {
    let (mut below, mut left_out, mut at) = (vec![], vec![], root);
    loop {
        let Object::Dict(entries) = heap.get(at) else {
            return Err(refused(format!("holds {}, expected a state dict", heap.get(at).kind())));
        };
        if entries.iter().any(|&(_, value)| matches!(heap.get(value), Object::Tensor(_))) {
            return collect(heap, entries, below, left_out);
        }
        let named = |place: &str| entries.iter().rev().find(|(key, _)| is_text(heap, *key, place)).map(|entry| entry.1);
        let inner = PLACES
            .iter()
            .filter_map(|&place| Some((place, named(place)?)))
            .find(|&(_, value)| matches!(heap.get(value), Object::Dict(entries) if !entries.is_empty()));
        let Some((place, inner)) = inner.filter(|_| below.len() < DEPTH) else {
            let keys: Vec<String> = entries.iter().take(12).map(|&(key, value)| labelled(heap, key, value)).collect();
            return Err(refused(format!(
                "no tensors and no {}; it holds {}",
                PLACES.join(", "),
                if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") }
            )));
        };
        let others = entries.iter().filter(|(_, value)| *value != inner);
        left_out.extend(others.map(|&(key, value)| labelled(heap, key, value)));
        below.push(place.to_owned());
        at = inner;
    }
}

fn collect(heap: &Heap, entries: &[(Id, Id)], below: Vec<String>, mut left_out: Vec<String>) -> Result<Found> {
    let mut tensors: Vec<(String, TensorSpec)> = vec![];
    let mut places = std::collections::HashMap::new();
    for &(key, value) in entries {
        match (heap.get(key), heap.get(value)) {
            (Object::Text(name), Object::Tensor(spec)) => match places.get(name) {
                // As in Python, the last of equal keys counts.
                Some(&place) => {
                    if let Some((_, earlier)) = tensors.get_mut::<usize>(place) {
                        *earlier = spec.clone();
                    }
                }
                None => {
                    places.insert(name.clone(), tensors.len());
                    tensors.push((name.clone(), spec.clone()));
                }
            },
            _ => left_out.push(labelled(heap, key, value)),
        }
    }
    Ok(Found { tensors, below, left_out })
}

fn is_text(heap: &Heap, id: Id, text: &str) -> bool {
    matches!(heap.get(id), Object::Text(found) if found == text)
}

fn labelled(heap: &Heap, key: Id, value: Id) -> String {
    let key = match heap.get(key) {
        Object::Text(name) => name.chars().take(80).collect::<String>().escape_debug().to_string(),
        Object::Int(number) => number.to_string(),
        other => other.kind().to_owned(),
    };
    format!("{key} ({})", heap.get(value).kind())
}
