//! The sources of an experiment's settings, and their places.

use std::path::PathBuf;
use std::sync::Arc;

use super::key_path::KeyPath;
use super::layer::{Layer, Written};
use super::problem::Place;
use super::validate::About;

/// Where settings were written.
#[derive(Debug)]
pub(super) struct Sources {
    /// The experiment file.
    pub(super) main: PathBuf,
    /// Weakest first.
    pub(super) layers: Vec<Layer>,
}

/// Who wrote a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// mga itself, in the resolved experiment of a run.
    Resolved,
    /// A file that the experiment extends.
    Extended,
    /// The experiment file, the environment, `--set`, or the cell of a sweep.
    Own,
}

impl Sources {
    /// Who wrote `path` last, and in which layer; `None`: nobody, it is a default.
    pub(super) fn author(&self, path: &KeyPath) -> Option<(Author, usize)> {
        let at = self.layers.iter().rposition(|layer| layer.written.contains_key(path))?;
        let author = match self.layers.get(at) {
            Some(layer) if layer.resolved => Author::Resolved,
            Some(layer) if layer.extended => Author::Extended,
            _ => Author::Own,
        };
        Some((author, at))
    }

    /// Where `path` was last written.
    pub(super) fn written(&self, path: &KeyPath) -> Option<&Written> {
        self.layers.iter().rev().find_map(|layer| layer.written.get(path))
    }

    /// The setting as the file has it: with the table of the stage before it where it, or the nearest table around it that
    /// anybody wrote, was last written there.
    pub(super) fn full_key(&self, path: &KeyPath) -> KeyPath {
        let mut at = Some(path.clone());
        while let Some(key) = at.filter(|key| !key.segments().is_empty()) {
            if let Some(layer) = self.layers.iter().rev().find(|layer| layer.written.contains_key(&key)) {
                let Some(stage) = &layer.stage else { break };
                let table = KeyPath::dotted("stages").key(stage);
                return path.segments().iter().fold(table, |table, segment| table.then(segment.clone()));
            }
            at = key.parent();
        }
        path.clone()
    }

    /// The place to point at for `path`: where it was last written, else the nearest table around it, else the file.
    pub(super) fn place(&self, path: &KeyPath, about: About) -> Option<Place> {
        if let Some(written) = self.written(path) {
            return Some(if about == About::Value { written.value.clone() } else { written.key.clone() });
        }
        let mut above = path.parent();
        while let Some(path) = above.filter(|path| !path.segments().is_empty()) {
            // A table in a file is a better place to look than a flag that set something else in it.
            let keys = || self.layers.iter().rev().filter_map(|layer| layer.written.get(&path)).map(|w| &w.key);
            let place = keys().find(|place| matches!(place, Place::File(..))).or_else(|| keys().next());
            if let Some(place) = place {
                return Some(place.clone());
            }
            above = path.parent();
        }
        Some(Place::Whole(self.main.clone()))
    }

    /// A number that sorts places: weaker layers first, then by position.
    pub(super) fn order(&self, place: Option<&Place>) -> (usize, usize) {
        let Some(place) = place else { return (0, 0) };
        let is_in = |layer: &Layer| layer.written.values().any(|written| same_source(&written.key, place));
        let layer = self.layers.iter().position(is_in).unwrap_or(0);
        match place {
            Place::File(_, span) => (layer, span.start),
            Place::Variable(..) | Place::Flag(..) | Place::Whole(..) => (layer, 0),
        }
    }
}

fn same_source(a: &Place, b: &Place) -> bool {
    match (a, b) {
        (Place::File(a, _), Place::File(b, _)) => Arc::ptr_eq(a, b),
        (Place::Variable(..), Place::Variable(..)) | (Place::Flag(..), Place::Flag(..)) => true,
        _ => false,
    }
}
