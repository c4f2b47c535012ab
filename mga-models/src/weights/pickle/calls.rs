//! The calls of a pickle, and its references to the outside: done here where tensors need it, and never run.

use mga_core::Result;

use super::globals::{Element, Global};
use super::machine::Machine;
use super::object::{Id, Object, Storage, TensorSpec};
use super::refusal::refused;

/// Sizes of a tensor, and bytes of a storage's key: beyond what any network has.
const MOST_SIZES: usize = 16;
const LONGEST_KEY: usize = 32;

/// Functions that build an object of the class that is their first argument.
const RECONSTRUCTORS: [&str; 5] = [
    "copy_reg._reconstructor",
    "copyreg._reconstructor",
    "copyreg.__newobj__",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
];

impl Machine<'_> {
    fn tuple(&self, id: Id) -> Result<&[Id]> {
        match self.heap.get(id) {
            Object::Tuple(items) => Ok(items),
            _ => Err(refused(format!("expected a tuple, found {}", self.heap.kind(id)))),
        }
    }

    /// Makes sure that a tuple holds sizes; says how many.
    fn check_sizes(&self, id: Id) -> Result<usize> {
        let items = self.tuple(id)?;
        // Before they are looked at: the same long tuple could be named again and again.
        if items.len() > MOST_SIZES {
            return Ok(items.len());
        }
        for &item in items {
            match self.heap.get(item) {
                Object::Int(0..) => {}
                Object::Int(size) => return Err(refused(format!("a tensor's size or step of {size}"))),
                _ => return Err(refused(format!("a tensor's size that is {}", self.heap.kind(item)))),
            }
        }
        Ok(items.len())
    }

    /// Pushes what lies outside of the pickle: `("storage", type, key, place, count)`, where PyTorch before 1.6 adds
    /// `(view's key, start, count)`; or `("module", class, file, source)`, as those versions wrote classes.
    pub(super) fn refer(&mut self, id: Id) -> Result<()> {
        let items = self.tuple(id)?;
        let class = items.get(1).copied();
        match (self.object(items, 0), self.object(items, 1), items.get(2), self.object(items, 4)) {
            (Object::Text(tag), Object::Global(Global::Storage(element)), Some(&key), Object::Int(count))
                if tag == "storage" && (1..=LONGEST_KEY).contains(&self.heap.text(key).len()) =>
            {
                let count = usize::try_from(*count).map_err(|_| refused(format!("a storage of {count} numbers")))?;
                let start = match self.object(items, 5) {
                    Object::Tuple(view) => match self.object(view, 1) {
                        Object::Int(start @ 0..) => *start as usize,
                        _ => return Err(refused("a view of a storage that begins nowhere")),
                    },
                    _ => 0,
                };
                let storage = Storage { key, element: *element, count, start };
                self.push(Object::Storage(Box::new(storage)))
            }
            (Object::Text(tag), ..) if tag == "module" && class.is_some() => self.push_id(class.unwrap_or_default()),
            _ => Err(refused("a reference to something other than a storage of numbers")),
        }
    }

    /// The object that comes of calling the first operand with the second. What is not known is not called: an object stands
    /// for what it would be. Nothing is copied that is not counted, so that a short pickle stays small however often it calls.
    pub(super) fn call(&mut self, operands: &[Id]) -> Result<Id> {
        let [mut callable, mut arguments, ..] = *operands else { return Err(refused("a call without arguments")) };
        // A subclass of tensors names what rebuilds it, which may be one again.
        for _ in 0..4 {
            let Object::Global(Global::RebuildFromType) = self.heap.get(callable) else { break };
            let [inner, _, of_inner, ..] = *self.tuple(arguments)? else { break };
            (callable, arguments) = (inner, of_inner);
        }
        let items = self.tuple(arguments)?;
        let first = items.first().copied();
        let made = match (self.heap.get(callable), first) {
            (Object::Global(Global::Dict), None) | (Object::Global(Global::DefaultDict), _) => Object::Dict(vec![]),
            (Object::Global(Global::Dict), Some(first)) => match self.heap.get(first) {
                Object::Dict(_) => return Ok(first),
                _ => Object::Dict(self.entries(first)?),
            },
            (Object::Global(Global::Set), _) => Object::Set(vec![]),
            (Object::Global(Global::Bytes), _) => Object::Bytes(0),
            (Object::Global(Global::Size), Some(first)) if matches!(self.heap.get(first), Object::Tuple(_)) => {
                return Ok(first);
            }
            (Object::Global(Global::RebuildParameter), Some(first))
                if matches!(self.heap.get(first), Object::Tensor(_) | Object::OddTensor(_)) =>
            {
                return Ok(first);
            }
            (Object::Global(Global::RebuildTensor), _) => self.tensor(items, None)?,
            (Object::Global(Global::RebuildTyped), _) => match self.object(items, 6) {
                Object::Global(Global::Type(element)) => self.tensor(items, Some(*element))?,
                _ => Object::OddTensor("a tensor of an unknown number type"),
            },
            (Object::Global(Global::RebuildOdd(what)), _) => Object::OddTensor(what),
            (Object::Global(global), _) => {
                return Err(refused(format!("calls {global:?} in an unknown way, with {} arguments", items.len())));
            }
            (Object::Foreign(name), Some(class))
                if RECONSTRUCTORS.contains(&name.as_str()) && matches!(self.heap.get(class), Object::Foreign(_)) =>
            {
                Object::Opaque(class)
            }
            (Object::Foreign(_), _) => Object::Opaque(callable),
            // A method, say, that an unknown call gave.
            (Object::Opaque(class), _) => Object::Opaque(*class),
            _ => return Err(refused(format!("calls {}", self.heap.kind(callable)))),
        };
        Ok(self.heap.add(made))
    }

    /// The entries of a dictionary that is written as a list of pairs, as Python 2 does.
    fn entries(&mut self, list: Id) -> Result<Vec<(Id, Id)>> {
        let (Object::List(items) | Object::Tuple(items)) = self.heap.get(list) else {
            return Err(refused(format!("a dictionary of {}", self.heap.kind(list))));
        };
        let pair = |&item: &Id| match self.heap.get(item) {
            Object::List(pair) | Object::Tuple(pair) => match **pair {
                [key, value] => Ok((key, value)),
                _ => Err(refused("a dictionary with a key that has no value")),
            },
            _ => Err(refused("a dictionary of something other than pairs")),
        };
        let entries = items.iter().map(pair).collect::<Result<Vec<_>>>()?;
        self.spend(entries.len())?;
        Ok(entries)
    }

    /// `(storage, offset, size, stride, ...)`; numbers are of the storage's type where none is given.
    fn tensor(&self, arguments: &[Id], element: Option<Element>) -> Result<Object> {
        let [storage, offset, sizes, steps, ..] = *arguments else {
            return Err(refused(format!("a tensor of {} arguments, expected six", arguments.len())));
        };
        let (Object::Storage(stored), Object::Int(offset)) = (self.heap.get(storage), self.heap.get(offset)) else {
            return Err(refused("a tensor without a storage"));
        };
        let offset = usize::try_from(*offset).ok().and_then(|offset| offset.checked_add(stored.start));
        let offset = offset.ok_or_else(|| refused("a tensor that begins before its storage"))?;
        let ranks = (self.check_sizes(sizes)?, self.check_sizes(steps)?);
        if ranks.0 != ranks.1 || ranks.0 > MOST_SIZES {
            return Err(refused(format!("a tensor of {} sizes and {} steps", ranks.0, ranks.1)));
        }
        let element = element.unwrap_or(stored.element);
        Ok(Object::Tensor(Box::new(TensorSpec { storage, element, offset, sizes, steps })))
    }
}
