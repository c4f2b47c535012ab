//! The stack machine of pickles (protocols 2 to 5), as far as tensors and plain values need it.

use std::collections::HashMap;

use mga_core::Result;

use super::globals::{lookup, shown};
use super::object::{Heap, Id, Object};
use super::refusal::refused;

/// What a pickle may put on the stack and into containers, in all. A tensor takes some twenty, so that this is enough for a
/// hundred thousand of them; and whatever a hostile pickle does, it ends within a few hundred MB.
const MOST_VALUES: usize = 4 << 20;

/// What a pickle built.
pub(super) struct Built {
    pub(super) heap: Heap,
    /// The object it returns.
    pub(super) root: Id,
    /// Bytes of it: what comes behind is another's.
    pub(super) length: usize,
}

/// Runs the pickle that `bytes` begin with.
///
/// Each instruction adds at most one object, containers hold what was on the stack before, and both are counted, so memory
/// grows with the pickle's length and with nothing it says.
///
/// # Errors
/// An instruction that plain data does not need, one without its operands, or a name that runs programs; with its place.
pub(super) fn run(bytes: &[u8]) -> Result<Built> {
    let mut machine = Machine {
        bytes,
        at: 0,
        heap: Heap::default(),
        stack: vec![],
        marks: vec![],
        memo: HashMap::new(),
        left: MOST_VALUES,
    };
    loop {
        let start = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Built { heap: machine.heap, root, length: machine.at }),
            Err(error) => return Err(refused(format!("its pickle, byte {start}: {error}"))),
        }
    }
}

pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    pub(super) heap: Heap,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// Values that may still be added.
    left: usize,
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| refused("the pickle ends in the middle of an instruction"))?;
        self.at += count;
        Ok(taken)
    }

    /// A little-endian number of `count` bytes, at most eight.
    fn unsigned(&mut self, count: usize) -> Result<u64> {
        let bytes = self.take(count)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn length(&mut self, count: usize) -> Result<usize> {
        let length = self.unsigned(count)?;
        usize::try_from(length).map_err(|_| refused(format!("a length of {length} bytes")))
    }

    fn text(&mut self, length: usize) -> Result<String> {
        let bytes = self.take(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| refused("a text that is not UTF-8"))
    }

    fn line(&mut self) -> Result<String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or_else(|| refused("a name without end"))?;
        let text = self.text(length)?;
        self.at += 1;
        Ok(text)
    }

    /// Counts what is about to be added.
    pub(super) fn spend(&mut self, values: usize) -> Result<()> {
        let left = self.left.checked_sub(values);
        self.left = left.ok_or_else(|| refused(format!("more than {MOST_VALUES} values, beyond any checkpoint")))?;
        Ok(())
    }

    pub(super) fn push(&mut self, object: Object) -> Result<()> {
        let id = self.heap.add(object);
        self.push_id(id)
    }

    pub(super) fn push_id(&mut self, id: Id) -> Result<()> {
        self.spend(1)?;
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        // What lies below a mark belongs to another.
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(refused("an instruction without its operands"));
        }
        self.stack.pop().ok_or_else(|| refused("an instruction without its operands"))
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().ok_or_else(|| refused("an instruction without its operands"))
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        let height = self.marks.pop().ok_or_else(|| refused("an instruction without its mark"))?;
        Ok(self.stack.split_off(height.min(self.stack.len())))
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>> {
        let mut popped = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
        popped.reverse();
        Ok(popped)
    }

    /// One instruction; the result where it is the last.
    fn step(&mut self) -> Result<Option<Id>> {
        let [code] = *self.take(1)? else { return Err(refused("the pickle has no end")) };
        match code {
            b'.' => return self.pop().map(Some),
            0x80 => match self.unsigned(1)? {
                2..=5 => {}
                protocol => return Err(refused(format!("pickle protocol {protocol}, expected 2 to 5"))),
            },
            // A frame says how long the next part is.
            0x95 => drop(self.take(8)?),
            b'(' => {
                self.spend(1)?;
                self.marks.push(self.stack.len());
            }
            b'0' => match self.marks.last() {
                Some(&height) if height == self.stack.len() => drop(self.marks.pop()),
                _ => drop(self.pop()?),
            },
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.top()?;
                self.push_id(top)?;
            }
            b'N' | 0x88 | 0x89 | b'J' | b'K' | b'M' | 0x8a | 0x8b | b'G' => {
                let plain = self.plain(code)?;
                self.push(plain)?;
            }
            b'X' | 0x8c | 0x8d => {
                let length = self.length(match code {
                    b'X' => 4,
                    0x8c => 1,
                    _ => 8,
                })?;
                let text = self.text(length)?;
                self.push(Object::Text(text))?;
            }
            // Python 2's texts, and bytes.
            b'U' | b'T' | b'C' | b'B' | 0x8e | 0x96 => {
                let length = self.length(match code {
                    b'U' | b'C' => 1,
                    b'T' | b'B' => 4,
                    _ => 8,
                })?;
                let bytes = self.take(length)?;
                let text = if let b'U' | b'T' = code { std::str::from_utf8(bytes).ok() } else { None };
                self.push(text.map_or(Object::Bytes(length), |text| Object::Text(text.to_owned())))?;
            }
            b']' => self.push(Object::List(vec![]))?,
            b')' => self.push(Object::Tuple(vec![]))?,
            b'}' => self.push(Object::Dict(vec![]))?,
            0x8f => self.push(Object::Set(vec![]))?,
            b'l' | b't' | 0x91 => {
                let items = self.pop_mark()?;
                self.push(match code {
                    b'l' => Object::List(items),
                    b't' => Object::Tuple(items),
                    _ => Object::Set(items),
                })?;
            }
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(code - 0x84))?;
                self.push(Object::Tuple(items))?;
            }
            b'd' => {
                let items = self.pop_mark()?;
                let pairs = pairs(&items)?;
                self.push(Object::Dict(pairs))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.extend(&items)?;
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set_items(&items)?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(&items)?;
            }
            b'q' | b'r' | 0x94 => {
                let key = match code {
                    b'q' => self.unsigned(1)?,
                    b'r' => self.unsigned(4)?,
                    _ => self.memo.len() as u64,
                };
                let top = self.top()?;
                self.spend(1)?;
                self.memo.insert(key, top);
            }
            b'h' | b'j' => {
                let key = self.unsigned(if code == b'h' { 1 } else { 4 })?;
                let id = self.memo.get(&key).copied().ok_or_else(|| refused(format!("nothing is noted as {key}")))?;
                self.push_id(id)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                let named = named(&module, &name)?;
                self.push(named)?;
            }
            0x93 => {
                let names = self.pop_many(2)?;
                let (Object::Text(module), Object::Text(name)) = (self.object(&names, 0), self.object(&names, 1))
                else {
                    return Err(refused("a name that is no text"));
                };
                let named = named(module, name)?;
                self.push(named)?;
            }
            b'Q' => {
                let id = self.pop()?;
                self.refer(id)?;
            }
            // An object of a class, with its arguments: by a call, by `__new__`, by `__new__` with named arguments.
            b'R' | 0x81 | 0x92 => {
                let operands = self.pop_many(if code == 0x92 { 3 } else { 2 })?;
                let made = self.call(&operands)?;
                self.push_id(made)?;
            }
            // The same as Python 2 writes them.
            b'o' => {
                let operands = self.pop_mark()?;
                let class = operands.first().copied().ok_or_else(|| refused("an object without class"))?;
                self.push(Object::Opaque(class))?;
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                self.pop_mark()?;
                let class = self.heap.add(named(&module, &name)?);
                self.push(Object::Opaque(class))?;
            }
            // State of an object, such as the `_metadata` of a state dict: nothing that a tensor needs.
            b'b' => {
                self.pop()?;
                self.top()?;
            }
            other => {
                let shown = char::from(other).escape_default();
                return Err(refused(format!(
                    "instruction {other:#04x} ({shown}), which tensors and plain values do not need"
                )));
            }
        }
        Ok(None)
    }

    fn plain(&mut self, code: u8) -> Result<Object> {
        Ok(match code {
            b'N' => Object::None,
            0x88 => Object::Bool(true),
            0x89 => Object::Bool(false),
            b'J' => Object::Int(i64::from(self.unsigned(4)? as u32 as i32)),
            b'K' => Object::Int(self.unsigned(1)? as i64),
            b'M' => Object::Int(self.unsigned(2)? as i64),
            b'G' => {
                let bytes = self.take(8)?;
                Object::Float(f64::from_bits(bytes.iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte))))
            }
            _ => {
                let count = self.length(if code == 0x8a { 1 } else { 4 })?;
                let bytes = self.take(count)?;
                match (bytes.len(), bytes.last()) {
                    (_, None) => Object::Int(0),
                    (9.., _) => Object::BigInt,
                    (_, Some(last)) => {
                        // Two's complement of as few bytes as do.
                        let start: u64 = if last & 0x80 != 0 { u64::MAX } else { 0 };
                        Object::Int(bytes.iter().rev().fold(start, |n, &byte| n << 8 | u64::from(byte)) as i64)
                    }
                }
            }
        })
    }

    pub(super) fn object(&self, ids: &[Id], place: usize) -> &Object {
        ids.get(place).map_or(&Object::None, |&id| self.heap.get(id))
    }

    fn extend(&mut self, items: &[Id]) -> Result<()> {
        let top = self.top()?;
        match self.heap.get_mut(top) {
            Some(Object::List(list) | Object::Set(list)) => list.extend_from_slice(items),
            // A list of a class of its own.
            Some(Object::Opaque(_)) => {}
            _ => return Err(refused("adds elements to what is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<()> {
        let pairs = pairs(items)?;
        let top = self.top()?;
        match self.heap.get_mut(top) {
            Some(Object::Dict(entries)) => entries.extend(pairs),
            // A dictionary of a class of its own.
            Some(object @ Object::Opaque(_)) => *object = Object::Dict(pairs),
            _ => return Err(refused("sets items of what is no dictionary")),
        }
        Ok(())
    }
}

/// The object that a name stands for.
fn named(module: &str, name: &str) -> Result<Object> {
    Ok(lookup(module, name)?.map_or_else(|| Object::Foreign(shown(module, name)), Object::Global))
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(refused("a dictionary with a key that has no value"));
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}

#[cfg(test)]
mod tests;
