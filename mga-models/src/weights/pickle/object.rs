//! What a pickle builds: objects in one list, which name each other by their place in it. So deep nesting costs no
//! stack, and an object inside itself no leak.

use super::globals::{Element, Global};

/// The place of an object in the heap.
pub(super) type Id = usize;

/// A value of the machine.
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
    Global(Global),
    Storage(Storage),
    Tensor(TensorSpec),
}

/// Numbers of one type in an entry of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    /// The entry, `data/KEY`.
    pub(super) key: String,
    pub(super) element: Element,
    /// How many numbers the pickle says there are.
    pub(super) count: usize,
}

/// A view into a storage, in elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorSpec {
    pub(super) storage: Storage,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
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
}

impl Object {
    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::BigInt => "an integer",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Set(_) => "a set",
            Self::Dict(_) => "a dictionary",
            Self::Global(_) => "a name",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
        }
    }
}
