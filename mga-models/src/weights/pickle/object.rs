//! The objects that a pickle builds: objects in one list, which name each other by their place in it. So deep nesting
//! costs no stack, and an object inside itself no leak.

use super::globals::{Element, Global};

/// The place of an object in the heap.
pub(super) type Id = usize;

/// A value of the machine. Small, for a hostile pickle makes millions of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond 64 bits, which no tensor needs.
    BigInt,
    Float(f64),
    Text(String),
    Bytes(usize),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name that is known.
    Global(Global),
    /// Any other name, fit to be printed: `argparse.Namespace`.
    Foreign(String),
    /// What Python would build by calling the foreign name in that place. Nothing is called; what it would be is not known.
    Opaque(Id),
    Storage(Box<Storage>),
    Tensor(Box<TensorSpec>),
    /// A tensor whose numbers do not lie in a storage as they are, and why: `a quantised tensor`.
    OddTensor(&'static str),
}

/// Numbers of one type in an entry of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    /// The text that names the entry.
    pub(super) key: Id,
    pub(super) element: Element,
    /// How many numbers the pickle says there are.
    pub(super) count: usize,
    /// Where a view into another storage begins, in elements, as PyTorch before 0.4 wrote them.
    pub(super) start: usize,
}

/// A view into a storage. Sizes and steps are tuples of integers that are none below zero, as many of one as of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorSpec {
    pub(super) storage: Id,
    pub(super) element: Element,
    /// In elements.
    pub(super) offset: usize,
    pub(super) sizes: Id,
    pub(super) steps: Id,
}

/// All objects of one pickle.
#[derive(Debug, Default)]
pub(super) struct Heap(Vec<Object>);

impl Heap {
    pub(super) fn add(&mut self, object: Object) -> Id {
        self.0.push(object);
        self.0.len() - 1
    }

    /// The object at `id`; ids come from [`Heap::add`] alone, so that it is there.
    pub(super) fn get(&self, id: Id) -> &Object {
        self.0.get(id).unwrap_or(&Object::None)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Object> {
        self.0.get_mut(id)
    }

    /// Every storage that the pickle names.
    pub(super) fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.0.iter().filter_map(|object| if let Object::Storage(storage) = object { Some(&**storage) } else { None })
    }

    /// The text at `id`; empty where there is none.
    pub(super) fn text(&self, id: Id) -> &str {
        if let Object::Text(text) = self.get(id) { text } else { "" }
    }

    /// The integers of the tuple at `id`.
    pub(super) fn sizes(&self, id: Id) -> Vec<usize> {
        let Object::Tuple(items) = self.get(id) else { return vec![] };
        let size = |&item: &Id| if let Object::Int(size) = self.get(item) { usize::try_from(*size).ok() } else { None };
        items.iter().filter_map(size).collect()
    }

    /// What the object is, for people.
    pub(super) fn kind(&self, id: Id) -> String {
        let kind = match self.get(id) {
            Object::None => "nothing",
            Object::Bool(_) => "a truth value",
            Object::Int(_) | Object::BigInt => "an integer",
            Object::Float(_) => "a number",
            Object::Text(_) => "a text",
            Object::Bytes(_) => "bytes",
            Object::List(_) => "a list",
            Object::Tuple(_) => "a tuple",
            Object::Set(_) => "a set",
            Object::Dict(_) => "a dictionary",
            Object::Global(global) => return global.to_string(),
            Object::Foreign(name) => return format!("the name {name}"),
            Object::Opaque(class) => match self.get(*class) {
                Object::Foreign(name) => return format!("an object of {name}"),
                _ => "an object",
            },
            Object::Storage(_) => "a storage",
            Object::Tensor(_) => "a tensor",
            Object::OddTensor(what) => what,
        };
        kind.to_owned()
    }
}
