//! The format of `torch.save` before PyTorch 1.6: five pickles in a row (a magic number, the format's version, facts about
//! the machine, the checkpoint, the keys of its storages), then each storage, its count before its numbers.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use mga_core::Result;

use super::archive::LARGEST_PICKLE;
use super::machine::{self, Built};
use super::object::{Heap, Object};
use super::refusal::refused;

/// The only version there was.
const VERSION: i64 = 1001;

/// A checkpoint in that format.
pub(super) struct Legacy {
    file: BufReader<File>,
    length: u64,
    /// Where each storage's numbers begin, and how many bytes they are.
    storages: HashMap<String, (u64, u64)>,
}

impl Legacy {
    /// Reads the pickles, and where the storages lie.
    ///
    /// # Errors
    /// Pickles that are none, storages beyond the file.
    pub(super) fn open(mut file: File, length: u64) -> Result<(Self, Built)> {
        let failed = |e: std::io::Error| refused(format!("cannot be read: {e}"));
        let mut start = vec![];
        Read::by_ref(&mut file).take(LARGEST_PICKLE).read_to_end(&mut start).map_err(failed)?;
        let mut at = 0;
        let mut next = |what: &str| -> Result<Built> {
            let built = machine::run(start.get(at..).unwrap_or_default());
            let built = built.map_err(|error| refused(format!("{what} at byte {at}: {error}")))?;
            at += built.length;
            Ok(built)
        };
        next("its magic number")?;
        let version = next("its version")?;
        match version.heap.get(version.root) {
            Object::Int(VERSION) => {}
            Object::Int(other) => {
                return Err(refused(format!("version {other} of the old format, expected {VERSION}")));
            }
            _ => return Err(refused("a version of the old format that is no number")),
        }
        next("its facts about the machine")?;
        let built = next("its contents")?;
        let keys = next("its list of storages")?;
        let mut legacy = Self { file: BufReader::new(file), length, storages: HashMap::new() };
        legacy.find_storages(&built.heap, &keys, at as u64)?;
        Ok((legacy, built))
    }

    /// Length of the file in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Goes through the storages, which lie in the order of their keys from `at` on.
    fn find_storages(&mut self, heap: &Heap, keys: &Built, mut at: u64) -> Result<()> {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for storage in heap.storages() {
            let (key, size) = (heap.text(storage.key), storage.element.size);
            if sizes.insert(key, size).is_some_and(|earlier| earlier != size) {
                return Err(refused(format!("storage {key} has numbers of two sizes")));
            }
        }
        let Object::List(list) = keys.heap.get(keys.root) else {
            return Err(refused(format!("a list of storages that is {}", keys.heap.kind(keys.root))));
        };
        for &key in list {
            let key = keys.heap.text(key);
            let size =
                *sizes.get(key).ok_or_else(|| refused(format!("a storage `{}` of no tensor", key.escape_debug())))?;
            let beyond = |e: std::io::Error| refused(format!("storage {key}: {e}; was the download cut short?"));
            let mut count = [0; 8];
            self.file.seek(SeekFrom::Start(at)).map_err(beyond)?;
            self.file.read_exact(&mut count).map_err(beyond)?;
            let count = i64::from_le_bytes(count);
            let bytes = u64::try_from(count).ok().and_then(|count| count.checked_mul(size as u64));
            let begin = at + 8;
            let end = bytes.and_then(|bytes| begin.checked_add(bytes)).filter(|&end| end <= self.length);
            let end = end.ok_or_else(|| {
                refused(format!(
                    "storage {key}: {count} numbers of {size} bytes from byte {begin} on, but the file has {} bytes; was the \
                     download cut short?",
                    self.length
                ))
            })?;
            self.storages.insert(key.to_owned(), (begin, end - begin));
            at = end;
        }
        Ok(())
    }

    /// The bytes of a storage.
    pub(super) fn storage(&mut self, key: &str, most: u64) -> Result<Vec<u8>> {
        let missing = || refused(format!("storage {key} is not in the file"));
        let (begin, length) = *self.storages.get(key).ok_or_else(missing)?;
        if length > most {
            return Err(refused(format!("storage {key}: {length} bytes, in all more than the file has")));
        }
        let failed = |e: std::io::Error| refused(format!("storage {key}: cannot be read: {e}"));
        let mut bytes = vec![];
        self.file.seek(SeekFrom::Start(begin)).map_err(failed)?;
        Read::by_ref(&mut self.file).take(length).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}
