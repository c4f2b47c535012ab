//! Finding the state dict in what a checkpoint holds beside it.

use std::collections::HashMap;

use mga_core::Result;

use super::labels::Labels;
use super::object::{Heap, Id, Object};
use super::refusal::refused;
use super::tensor::View;

/// Where training programs put the state dict, the likeliest first; averages over time come last.
const PLACES: [&str; 20] = [
    "state_dict",
    "model_state_dict",
    "net",
    "model",
    "params",
    "network",
    "model_state",
    "net_state_dict",
    "module",
    "weights",
    "backbone",
    "encoder",
    "params_ema",
    "model_ema",
    "state_dict_ema",
    "ema_state_dict",
    "model_ema_state_dict",
    "ema_model",
    "ema",
    "averaged_model",
];

/// The first of those that are averages.
const AVERAGES: usize = 12;

/// Those that timm takes where they are there, before the plain weights.
const TIMM: [&str; 2] = ["state_dict_ema", "model_ema"];

/// How many places may lie in each other.
const DEPTH: usize = 4;

/// What was found, before the numbers are read.
pub(super) struct Found {
    pub(super) views: Vec<(String, View)>,
    /// The keys below which they lay, from the outside: `["net"]`.
    pub(super) below: Vec<String>,
    /// What lay beside them, with its kind: `epoch (an integer)`.
    pub(super) left_out: Vec<String>,
    /// What else might have been meant.
    pub(super) notes: Vec<String>,
}

/// Looks for the state dict from `root` down, or from what `key` names there (`ema.state_dict`).
///
/// # Errors
/// There is none, there are several and none is the likeliest, or a tensor in it cannot be read.
pub(super) fn find(heap: &Heap, root: Id, key: Option<&str>) -> Result<Found> {
    let mut search = Search { heap, weights: HashMap::new(), holders: HashMap::new() };
    let (mut below, mut left_out, mut notes) = (vec![], Labels::default(), vec![]);
    let mut at = match key {
        Some(key) => search.named(root, key, &mut below)?,
        None => root,
    };
    let named = below.len();
    loop {
        let Object::Dict(entries) = heap.get(at) else {
            return Err(refused(match heap.get(at) {
                Object::Opaque(_) => format!(
                    "holds {}, expected a state dict; a whole model can only be opened in Python by a program that has its \
                     class: save its state dict there, torch.save(model.state_dict(), ...)",
                    heap.kind(at)
                ),
                _ => format!("holds {}, expected a state dict", heap.kind(at)),
            }));
        };
        let within = if below.len() - named < DEPTH { search.within(at, entries, key.is_some())? } else { None };
        let Some((place, inner)) = within else {
            if search.weights(at) == 0 {
                return Err(nothing(heap, entries));
            }
            let views = collect(heap, entries, &mut left_out)?;
            return Ok(Found { views, below, left_out: left_out.finish(), notes });
        };
        for &(key, value) in entries.iter().filter(|(_, value)| *value != inner) {
            match search.other(key, value, &below) {
                Some(note) => notes.push(note),
                None => left_out.push(heap, key, value),
            }
        }
        below.push(place);
        at = inner;
    }
}

/// What is known so far of the dictionaries: each is gone through once, however often it is named.
struct Search<'a> {
    heap: &'a Heap,
    /// How many tensors of floating-point numbers lie in a dictionary under a text.
    weights: HashMap<Id, usize>,
    /// Whether there are any in it or below known places, as deep as that.
    holders: HashMap<(Id, usize), bool>,
}

impl Search<'_> {
    fn weights(&mut self, id: Id) -> usize {
        if let Some(&known) = self.weights.get(&id) {
            return known;
        }
        let heap = self.heap;
        let Object::Dict(entries) = heap.get(id) else { return 0 };
        let is_weight = |&&(key, value): &&(Id, Id)| {
            let floats = match heap.get(value) {
                Object::Tensor(spec) => super::tensor::is_float(spec.element.dtype),
                Object::OddTensor(_) => true,
                _ => false,
            };
            floats && matches!(heap.get(key), Object::Text(_))
        };
        let count = entries.iter().filter(is_weight).count();
        self.weights.insert(id, count);
        count
    }

    /// Whether weights lie in it, or in known places below.
    fn holds(&mut self, id: Id, depth: usize) -> bool {
        if self.weights(id) > 0 {
            return true;
        }
        let Object::Dict(entries) = self.heap.get(id) else { return false };
        let Some(deeper) = depth.checked_sub(1) else { return false };
        if let Some(&known) = self.holders.get(&(id, depth)) {
            return known;
        }
        let found = entries.iter().any(|&(key, value)| place(self.heap, key).is_some() && self.holds(value, deeper));
        self.holders.insert((id, depth), found);
        found
    }

    /// The entry of the dictionary `id` to go into; `None`: its own tensors are the weights, or there are none.
    fn within(&mut self, id: Id, entries: &[(Id, Id)], chosen: bool) -> Result<Option<(String, Id)>> {
        let heap = self.heap;
        // As in Python, the last of equal keys counts.
        let known = entries.iter().filter_map(|&(key, value)| Some((place(heap, key)?, value)));
        let mut known: Vec<(usize, Id)> = known.collect();
        known.sort_by_key(|&(place, _)| place);
        known.reverse();
        known.dedup_by_key(|&mut (place, _)| place);
        known.reverse();
        let own = self.weights(id);
        // What was asked for by name is taken as it is.
        if chosen && own > 0 {
            return Ok(None);
        }
        if let Some(&(place, value)) = known.iter().find(|&&(_, value)| self.holds(value, DEPTH)) {
            return Ok(PLACES.get(place).map(|place| ((*place).to_owned(), value)));
        }
        let mut others: Vec<(String, Id)> = vec![];
        for &(key, value) in entries {
            if let Object::Text(name) = heap.get(key)
                && self.weights(value) > own
            {
                others.retain(|(other, _)| other != name);
                others.push((name.clone(), value));
            }
        }
        match others.as_slice() {
            [] => Ok(None),
            [_] => Ok(others.pop()),
            _ => {
                let names: Vec<String> = others.iter().take(12).map(|(name, _)| super::labels::short(name)).collect();
                Err(refused(format!(
                    "holds several models, {}; say which with --key, as in --key {}",
                    names.join(", "),
                    names.first().map_or("", String::as_str)
                )))
            }
        }
    }

    /// A note, where what lies beside the chosen weights are weights too.
    fn other(&mut self, key: Id, value: Id, below: &[String]) -> Option<String> {
        let name = self.heap.text(key);
        let known = place(self.heap, key);
        if !self.holds(value, if known.is_some() { DEPTH } else { 0 }) || name.is_empty() {
            return None;
        }
        let path = below.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        let about = match known {
            Some(place) if place >= AVERAGES => ", averages of the weights over training",
            _ => "",
        };
        let timm = if TIMM.contains(&name) { "; timm would take these" } else { "" };
        let path = super::labels::short(&path);
        Some(format!("{path} holds weights too{about}{timm}: --key {path}"))
    }

    /// What `key` names: the whole of it, or keys one below the other with dots between.
    fn named(&self, root: Id, key: &str, below: &mut Vec<String>) -> Result<Id> {
        let (mut at, mut rest) = (root, key.trim_matches('.'));
        while !rest.is_empty() {
            let entries = match self.heap.get(at) {
                Object::Dict(entries) => entries.as_slice(),
                _ => &[],
            };
            let fits = |name: &str| rest.strip_prefix(name).is_some_and(|end| end.is_empty() || end.starts_with('.'));
            // Keys may have dots in them: the longest counts, and of equal ones the last.
            let found = entries.iter().map(|&(key, value)| (self.heap.text(key), value));
            let found = found.filter(|(name, _)| !name.is_empty() && fits(name)).max_by_key(|(name, _)| name.len());
            let Some((name, value)) = found else {
                let keys: Vec<String> = entries
                    .iter()
                    .take(12)
                    .map(|&(key, value)| super::labels::labelled(self.heap, key, value))
                    .collect();
                return Err(refused(format!("no `{rest}` as --key asks; there is {}", keys.join(", "))));
            };
            below.push(name.to_owned());
            rest = rest.get(name.len()..).unwrap_or_default().trim_start_matches('.');
            at = value;
        }
        Ok(at)
    }
}

/// Which of the [`PLACES`] a key is.
fn place(heap: &Heap, key: Id) -> Option<usize> {
    let name = heap.text(key);
    PLACES.iter().position(|place| *place == name)
}

fn nothing(heap: &Heap, entries: &[(Id, Id)]) -> mga_core::Error {
    let keys: Vec<String> =
        entries.iter().take(12).map(|&(key, value)| super::labels::labelled(heap, key, value)).collect();
    refused(format!(
        "no tensors of floating-point numbers in it, or below state_dict, model, net and their like; it holds {}",
        if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") }
    ))
}

fn collect(heap: &Heap, entries: &[(Id, Id)], left_out: &mut Labels) -> Result<Vec<(String, View)>> {
    let mut views: Vec<(String, View)> = vec![];
    let mut places = HashMap::new();
    for &(key, value) in entries {
        let name = match (heap.get(key), heap.get(value)) {
            (Object::Text(name), Object::Tensor(_) | Object::OddTensor(_)) => name,
            _ => {
                left_out.push(heap, key, value);
                continue;
            }
        };
        let view = view(heap, value).map_err(|error| refused(format!("{}: {error}", super::labels::short(name))))?;
        match places.get(name) {
            // As in Python, the last of equal keys counts.
            Some(&place) => {
                if let Some((_, earlier)) = views.get_mut::<usize>(place) {
                    *earlier = view;
                }
            }
            None => {
                places.insert(name, views.len());
                views.push((name.clone(), view));
            }
        }
    }
    Ok(views)
}

/// Where the numbers of a tensor lie.
fn view(heap: &Heap, id: Id) -> Result<View> {
    let spec = match heap.get(id) {
        Object::Tensor(spec) => spec,
        _ => {
            return Err(refused(format!(
                "{}, whose numbers cannot be taken as they are; save it in Python as an ordinary tensor (.dequantize(), \
                 .to_dense(), .cpu())",
                heap.kind(id)
            )));
        }
    };
    let Object::Storage(storage) = heap.get(spec.storage) else { return Err(refused("a tensor without a storage")) };
    let dtype = spec.element.dtype.ok_or_else(|| {
        refused(
            "numbers of a type that safetensors cannot hold (complex128 or quantised); save it in Python as another",
        )
    })?;
    Ok(View {
        key: heap.text(storage.key).to_owned(),
        stored: (storage.count, storage.element.size),
        dtype,
        size: spec.element.size,
        offset: spec.offset,
        shape: heap.sizes(spec.sizes),
        strides: heap.sizes(spec.steps),
    })
}
