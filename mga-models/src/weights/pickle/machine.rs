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
mod tests {
    use super::*;

    fn built(pickle: &[u8]) -> (Heap, Id) {
        let built = run(pickle).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(built.length, pickle.len());
        (built.heap, built.root)
    }

    fn message(pickle: &[u8]) -> String {
        run(pickle).err().expect("refused").to_string()
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
        assert!(message(b"\x80\x02P1\n.").contains("0x50"));
        assert!(message(b"\x80\x02cbuiltins\neval\n.").contains("byte 2"));
        assert!(message(b"\x80\x02I1\n.").contains("0x49"));
    }

    #[test]
    fn what_is_not_known_is_left_where_it_is() {
        let kind = |pickle: &[u8]| {
            let (heap, root) = built(pickle);
            heap.kind(root)
        };
        // By a call, by `__new__`, by a reconstructor, with a state; as Python 2 writes objects; a name alone.
        assert_eq!(kind(b"\x80\x02cpathlib\nPosixPath\nX\x01\x00\x00\x00a\x85R."), "an object of pathlib.PosixPath");
        assert_eq!(kind(b"\x80\x02cargparse\nNamespace\n)\x81}b."), "an object of argparse.Namespace");
        let array = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R.";
        assert_eq!(kind(array), "an object of numpy.ndarray");
        assert_eq!(kind(b"\x80\x02(cmine\nOptions\no}b."), "an object of mine.Options");
        assert_eq!(kind(b"\x80\x02(imine\nOptions\n}b."), "an object of mine.Options");
        assert_eq!(kind(b"\x80\x02cmine\nOptions\n."), "the name mine.Options");
        assert_eq!(kind(b"\x80\x02ctorch\nfloat32\n."), "a number type");
        // A dictionary of a class of its own, Python 2's ordered dictionary, a counter, a default dictionary, a set, bytes.
        assert_eq!(kind(b"\x80\x02cmine\nDict\n)\x81K\x01K\x02s."), "a dictionary");
        assert_eq!(kind(b"\x80\x02ccollections\nOrderedDict\n]]K\x01aK\x02aa\x85R."), "a dictionary");
        assert_eq!(kind(b"\x80\x02ccollections\nCounter\n}\x85R."), "a dictionary");
        assert_eq!(kind(b"\x80\x02ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R."), "a dictionary");
        assert_eq!(kind(b"\x80\x02c__builtin__\nset\n]\x85R."), "a set");
        assert_eq!(kind(b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aU\x06latin1\x86R."), "bytes");
    }

    #[test]
    fn a_short_pickle_stays_small() {
        // A list of a thousand pairs that is made into a dictionary again and again.
        let mut pickle = b"\x80\x02ccollections\nOrderedDict\nq\x00]q\x01(".to_vec();
        pickle.extend(b"K\x01K\x02\x86".repeat(1000));
        pickle.extend(b"e\x85q\x02");
        pickle.extend(b"h\x00h\x02R0".repeat(10_000));
        pickle.push(b'.');
        assert!(message(&pickle).contains("beyond any checkpoint"));
        let many = [&b"\x80\x02"[..], &b"N".repeat(5_000_000), b"."].concat();
        assert!(message(&many).contains("beyond any checkpoint"));
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
        let Object::Tensor(spec) = heap.get(root) else { panic!("{:?}", heap.get(root)) };
        assert_eq!((heap.sizes(spec.sizes), heap.sizes(spec.steps)), (vec![2, 2], vec![2, 1]));
        assert_eq!(heap.storages().map(|storage| storage.count).collect::<Vec<_>>(), [4]);
        assert!(message(&tensor("(K\x02K\x02t", "(K\x02t")).contains("2 sizes and 1 steps"));
        let mut negative = tensor("(K\x02t", "(K\x01t");
        let place = negative.windows(2).position(|w| w == b"K\x02").unwrap();
        negative.splice(place..place + 2, *b"J\xff\xff\xff\xff");
        assert!(message(&negative).contains("-1"));
    }
}
