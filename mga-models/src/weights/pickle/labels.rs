//! The contents of a checkpoint, in words that can be printed.

use super::object::{Heap, Id, Object};

/// How many things are named one by one.
const MOST: usize = 40;

/// Names of what was left out: the first ones, and how many more there are.
#[derive(Debug, Default)]
pub(super) struct Labels {
    named: Vec<String>,
    more: usize,
}

impl Labels {
    /// Adds an entry of a dictionary.
    pub(super) fn push(&mut self, heap: &Heap, key: Id, value: Id) {
        if self.named.len() < MOST {
            self.named.push(labelled(heap, key, value));
        } else {
            self.more += 1;
        }
    }

    /// The names.
    pub(super) fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.named.push(format!("and {} more", self.more));
        }
        self.named
    }
}

/// An entry of a dictionary with its kind: `epoch (an integer)`.
pub(super) fn labelled(heap: &Heap, key: Id, value: Id) -> String {
    let name = match heap.get(key) {
        Object::Text(name) => short(name),
        Object::Int(number) => number.to_string(),
        _ => heap.kind(key),
    };
    format!("{name} ({})", heap.kind(value))
}

/// A text out of a file: not too long, and without escape sequences.
pub(super) fn short(text: &str) -> String {
    text.chars().take(80).collect::<String>().escape_debug().to_string()
}
