//! The stack machine of pickles (protocols 2 to 5), as far as tensors and plain values need it.

use std::collections::HashMap;

use mga_core::Result;

use super::globals::{Global, lookup};
use super::object::{Heap, Id, Object, Storage, TensorSpec};
use super::refused;

/// Sizes of a tensor, and bytes of a storage's key: beyond what any network has, and small enough to be copied.
const MOST_SIZES: usize = 16;
const LONGEST_KEY: usize = 32;

/// Runs a pickle; gives the objects it built and the one it returns.
///
/// Each instruction adds at most one object, and containers hold what was on the stack before, so memory grows with the
/// pickle's length and with nothing it says.
///
/// # Errors
/// An instruction or a name that plain data does not need, or one without its operands; with its place.
pub(super) fn run(pickle: &[u8]) -> Result<(Heap, Id)> {
    let mut machine =
        Machine { bytes: pickle, at: 0, heap: Heap::default(), stack: vec![], marks: vec![], memo: HashMap::new() };
    loop {
        let start = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(result)) => return Ok((machine.heap, result)),
            Err(error) => return Err(refused(format!("data.pkl, byte {start}: {error}"))),
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    heap: Heap,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
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

    fn push(&mut self, object: Object) {
        let id = self.heap.add(object);
        self.stack.push(id);
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
            b'(' => self.marks.push(self.stack.len()),
            b'0' => match self.marks.last() {
                Some(&height) if height == self.stack.len() => drop(self.marks.pop()),
                _ => drop(self.pop()?),
            },
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' | 0x88 | 0x89 | b'J' | b'K' | b'M' | 0x8a | b'G' => {
                let plain = self.plain(code)?;
                self.push(plain);
            }
            b'X' | 0x8c | 0x8d => {
                let length = self.length(match code {
                    b'X' => 4,
                    0x8c => 1,
                    _ => 8,
                })?;
                let text = self.text(length)?;
                self.push(Object::Text(text));
            }
            // Python 2's texts, and bytes.
            b'U' | b'T' | b'C' | b'B' | 0x8e => {
                let length = self.length(match code {
                    b'U' | b'C' => 1,
                    b'T' | b'B' => 4,
                    _ => 8,
                })?;
                let bytes = self.take(length)?;
                let text = if let b'U' | b'T' = code { std::str::from_utf8(bytes).ok() } else { None };
                self.push(text.map_or(Object::Bytes(length), |text| Object::Text(text.to_owned())));
            }
            b']' => self.push(Object::List(vec![])),
            b')' => self.push(Object::Tuple(vec![])),
            b'}' => self.push(Object::Dict(vec![])),
            0x8f => self.push(Object::Set(vec![])),
            b'l' | b't' | 0x91 => {
                let items = self.pop_mark()?;
                self.push(match code {
                    b'l' => Object::List(items),
                    b't' => Object::Tuple(items),
                    _ => Object::Set(items),
                });
            }
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(code - 0x84))?;
                self.push(Object::Tuple(items));
            }
            b'd' => {
                let items = self.pop_mark()?;
                let pairs = pairs(&items)?;
                self.push(Object::Dict(pairs));
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
                self.memo.insert(key, top);
            }
            b'h' | b'j' => {
                let key = self.unsigned(if code == b'h' { 1 } else { 4 })?;
                let id = self.memo.get(&key).copied().ok_or_else(|| refused(format!("nothing is noted as {key}")))?;
                self.stack.push(id);
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                let global = lookup(&module, &name)?;
                self.push(Object::Global(global));
            }
            0x93 => {
                let names = self.pop_many(2)?;
                let (Object::Text(module), Object::Text(name)) = (self.object(&names, 0), self.object(&names, 1))
                else {
                    return Err(refused("a name that is no text"));
                };
                let global = lookup(module, name)?;
                self.push(Object::Global(global));
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(Object::Storage(storage));
            }
            b'R' => {
                let operands = self.pop_many(2)?;
                let made = self.call(&operands)?;
                self.stack.push(made);
            }
            // State of an `OrderedDict`, such as PyTorch's `_metadata`: nothing a tensor needs.
            b'b' => {
                self.pop()?;
                let target = self.top()?;
                if !matches!(self.heap.get(target), Object::Dict(_)) {
                    return Err(refused(format!("sets the state of {}", self.heap.get(target).kind())));
                }
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
                let count = self.length(1)?;
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

    fn object(&self, ids: &[Id], place: usize) -> &Object {
        ids.get(place).map_or(&Object::None, |&id| self.heap.get(id))
    }

    fn extend(&mut self, items: &[Id]) -> Result<()> {
        let top = self.top()?;
        match self.heap.get_mut(top) {
            Some(Object::List(list) | Object::Set(list)) => list.extend_from_slice(items),
            _ => return Err(refused("adds elements to what is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<()> {
        let pairs = pairs(items)?;
        let top = self.top()?;
        match self.heap.get_mut(top) {
            Some(Object::Dict(entries)) => entries.extend(pairs),
            _ => return Err(refused("sets items of what is no dictionary")),
        }
        Ok(())
    }

    fn tuple(&self, id: Id) -> Result<&[Id]> {
        match self.heap.get(id) {
            Object::Tuple(items) => Ok(items),
            other => Err(refused(format!("expected a tuple, found {}", other.kind()))),
        }
    }

    fn sizes(&self, id: Id) -> Result<Vec<usize>> {
        let size = |&id: &Id| match self.heap.get(id) {
            Object::Int(size) => {
                usize::try_from(*size).map_err(|_| refused(format!("a tensor's size or step of {size}")))
            }
            other => Err(refused(format!("a tensor's size that is {}", other.kind()))),
        };
        self.tuple(id)?.iter().map(size).collect()
    }

    /// `("storage", type, key, place, count)`: where the numbers lie.
    fn storage(&self, id: Id) -> Result<Storage> {
        let items = self.tuple(id)?;
        match (self.object(items, 0), self.object(items, 1), self.object(items, 2), self.object(items, 4)) {
            (Object::Text(tag), Object::Global(Global::Storage(element)), Object::Text(key), Object::Int(count))
                if tag == "storage" && key.len() <= LONGEST_KEY =>
            {
                let count = usize::try_from(*count).map_err(|_| refused(format!("a storage of {count} numbers")))?;
                Ok(Storage { key: key.clone(), element: *element, count })
            }
            _ => Err(refused("a reference to something other than a storage of numbers")),
        }
    }

    /// The calls that are known; the object that comes of it. Nothing is copied, so that a short pickle stays small however
    /// often it calls.
    fn call(&mut self, operands: &[Id]) -> Result<Id> {
        let [callable, arguments] = *operands else { return Err(refused("a call without arguments")) };
        let Object::Global(global) = *self.heap.get(callable) else {
            return Err(refused(format!("calls {}", self.heap.get(callable).kind())));
        };
        let arguments = self.tuple(arguments)?;
        let made = match (global, arguments) {
            (Global::OrderedDict, []) => Object::Dict(vec![]),
            (Global::Size, &[sizes]) if matches!(self.heap.get(sizes), Object::Tuple(_)) => return Ok(sizes),
            (Global::RebuildParameter, &[tensor, ..]) if matches!(self.heap.get(tensor), Object::Tensor(_)) => {
                return Ok(tensor);
            }
            (Global::RebuildTensor, arguments) => self.tensor(arguments)?,
            (global, arguments) => {
                return Err(refused(format!("calls {global:?} in an unknown way, with {} arguments", arguments.len())));
            }
        };
        Ok(self.heap.add(made))
    }

    /// `(storage, offset, size, stride, requires_grad, hooks, ...)`
    fn tensor(&self, arguments: &[Id]) -> Result<Object> {
        let [storage, offset, size, stride, ..] = *arguments else {
            return Err(refused(format!("a tensor of {} arguments, expected six", arguments.len())));
        };
        let (Object::Storage(storage), Object::Int(offset)) = (self.heap.get(storage), self.heap.get(offset)) else {
            return Err(refused("a tensor without a storage"));
        };
        let offset = usize::try_from(*offset).map_err(|_| refused(format!("a tensor's offset of {offset}")))?;
        let ranks = (self.tuple(size)?.len(), self.tuple(stride)?.len());
        if ranks.0 != ranks.1 || ranks.0 > MOST_SIZES {
            return Err(refused(format!("a tensor of {} sizes and {} steps", ranks.0, ranks.1)));
        }
        let (shape, strides) = (self.sizes(size)?, self.sizes(stride)?);
        Ok(Object::Tensor(TensorSpec { storage: storage.clone(), offset, shape, strides }))
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(refused("a dictionary with a key that has no value"));
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(pickle: &[u8]) -> (Heap, Id) {
        run(pickle).unwrap_or_else(|error| panic!("{error}"))
    }

    fn message(pickle: &[u8]) -> String {
        run(pickle).expect_err("refused").to_string()
    }

    #[test]
    fn plain_values_are_read() {
        let cases: [(&[u8], Object); 9] = [
            (b"\x80\x02K\x07.", Object::Int(7)),
            (b"\x80\x02J\xfe\xff\xff\xff.", Object::Int(-2)),
            (b"\x80\x02\x8a\x02\x00\x80.", Object::Int(-32768)),
            (b"\x80\x02\x8a\x00.", Object::Int(0)),
            (b"\x80\x02\x8a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01.", Object::BigInt),
            (b"\x80\x02G\x3f\xf8\x00\x00\x00\x00\x00\x00.", Object::Float(1.5)),
            (b"\x80\x02X\x02\x00\x00\x00ab.", Object::Text("ab".to_owned())),
            (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00\x88.", Object::Bool(true)),
            (b"\x80\x02N.", Object::None),
        ];
        for (pickle, want) in cases {
            let (heap, root) = built(pickle);
            assert_eq!(heap.get(root), &want);
        }
    }

    #[test]
    fn containers_are_filled_where_they_were_noted() {
        // {"a": [1]} where the list is fetched from the memo and appended to after it was placed.
        let (heap, root) = built(b"\x80\x02}X\x01\x00\x00\x00a]q\x01sh\x01K\x01a0.");
        let Object::Dict(entries) = heap.get(root) else { panic!("{:?}", heap.get(root)) };
        let Object::List(items) = heap.get(entries[0].1) else { panic!("a list") };
        assert_eq!(heap.get(items[0]), &Object::Int(1));
    }

    #[test]
    fn what_a_pickle_may_not_ask_for_is_named() {
        assert!(message(b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.").contains("`posix.system`"));
        // Protocol 4's way of saying it.
        assert!(message(b"\x80\x04\x8c\x05posix\x8c\x06system\x93.").contains("`posix.system`"));
        // A global that is known, called with another in place of its argument.
        assert!(message(b"\x80\x02ctorch\nFloatStorage\n)R.").contains("calls Storage"));
        assert!(message(b"\x80\x02ccollections\nOrderedDict\n)\x81.").contains("0x81"));
        assert!(message(b"\x80\x02cbuiltins\neval\n.").contains("byte 2"));
        assert!(message(b"\x80\x02I1\n.").contains("0x49"));
    }

    #[test]
    fn broken_pickles_are_errors() {
        let cases: [&[u8]; 13] = [
            b"",
            b"\x80\x02",
            b"\x80\x01N.",
            b"\x80\x02.",
            b"\x80\x02X\xff\xff\xff\xffab.",
            b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.",
            b"\x80\x02h\x07.",
            b"\x80\x02t.",
            b"\x80\x02(K\x01u.",
            b"\x80\x02}K\x01a.",
            b"\x80\x02K\x01(\x85.",
            b"\x80\x02X\x01\x00\x00\x00\xff.",
            b"\x80\x02ctorch",
        ];
        for pickle in cases {
            assert!(run(pickle).is_err(), "{pickle:?}");
        }
    }

    #[test]
    fn depth_and_loops_cost_no_stack() {
        // A million tuples inside each other, and a list inside itself.
        let mut deep = b"\x80\x02)".to_vec();
        deep.extend(std::iter::repeat_n(0x85, 1_000_000));
        deep.push(b'.');
        assert!(matches!(built(&deep), (heap, root) if matches!(heap.get(root), Object::Tuple(_))));
        let (heap, root) = built(b"\x80\x02]q\x00h\x00a.");
        assert_eq!(heap.get(root), &Object::List(vec![root]));
    }

    #[test]
    fn negative_and_unfitting_tensors_are_errors() {
        let tensor = |size: &str, stride: &str| {
            let mut pickle =
                b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n\
                               X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00"
                    .to_vec();
            pickle.extend_from_slice(size.as_bytes());
            pickle.extend_from_slice(stride.as_bytes());
            pickle.extend_from_slice(b"\x89NtR.");
            pickle
        };
        let (heap, root) = built(&tensor("(K\x02K\x02t", "(K\x02K\x01t"));
        assert!(matches!(heap.get(root), Object::Tensor(spec) if spec.shape == [2, 2] && spec.storage.count == 4));
        assert!(message(&tensor("(K\x02K\x02t", "(K\x02t")).contains("2 sizes and 1 steps"));
        let mut negative = tensor("(K\x02t", "(K\x01t");
        let place = negative.windows(2).position(|w| w == b"K\x02").unwrap();
        negative.splice(place..place + 2, *b"J\xff\xff\xff\xff");
        assert!(message(&negative).contains("-1"));
    }
}
