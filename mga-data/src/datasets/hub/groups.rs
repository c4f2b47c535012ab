//! Row groups in memory: those read last, up to a limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use parquet::data_type::ByteArray;

use crate::error::Result;

/// Bytes that may stay in memory. Files of the hub hold some hundred images a group, so that small data sets stay whole.
const LIMIT: usize = 1 << 30;

/// A column of a row group.
type Cells = Arc<Vec<Option<ByteArray>>>;
/// Table, row group, column.
type Key = (usize, usize, String);

/// Shared by the loader's threads.
#[derive(Default)]
pub(super) struct Groups(Mutex<Held>);

#[derive(Default)]
struct Held {
    /// With the bytes they hold and when they were used last.
    groups: HashMap<Key, (Cells, usize, u64)>,
    bytes: usize,
    clock: u64,
}

impl Groups {
    /// The group, read by `read` if it is not here. Two threads may read the same one: that costs time and nothing else.
    pub(super) fn get(
        &self,
        (table, group, column): (usize, usize, &str),
        read: impl FnOnce() -> Result<Vec<Option<ByteArray>>>,
    ) -> Result<Cells> {
        let key = (table, group, column.to_owned());
        if let Ok(mut held) = self.0.lock() {
            held.clock += 1;
            let now = held.clock;
            if let Some((cells, _, used)) = held.groups.get_mut(&key) {
                *used = now;
                return Ok(Arc::clone(cells));
            }
        }
        let cells = Arc::new(read()?);
        let bytes = cells.iter().flatten().map(ByteArray::len).sum();
        if let Ok(mut held) = self.0.lock() {
            held.make_room(bytes, LIMIT);
            let now = held.clock;
            if held.groups.insert(key, (Arc::clone(&cells), bytes, now)).is_none() {
                held.bytes += bytes;
            }
        }
        Ok(cells)
    }
}

impl Held {
    /// Lets go of the groups used longest ago.
    fn make_room(&mut self, bytes: usize, limit: usize) {
        while self.bytes + bytes > limit {
            let oldest = self.groups.iter().min_by_key(|(_, (.., used))| *used).map(|(key, _)| key.clone());
            let Some((_, freed, _)) = oldest.and_then(|key| self.groups.remove(&key)) else { return };
            self.bytes -= freed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_used_longest_ago_go_first() {
        let groups = Groups::default();
        let cells = |length: usize| Ok(vec![Some(ByteArray::from(vec![0; length])), None]);
        for group in 0..3 {
            groups.get((0, group, "image"), || cells(10)).unwrap();
        }
        groups.get((0, 0, "image"), || panic!("it is here")).unwrap();
        let mut held = groups.0.lock().unwrap();
        assert_eq!(held.bytes, 30);
        held.make_room(5, 30);
        let mut left: Vec<usize> = held.groups.keys().map(|key| key.1).collect();
        left.sort_unstable();
        assert_eq!((left, held.bytes), (vec![0, 2], 20));
        held.make_room(100, 30);
        assert!(held.groups.is_empty());
    }
}
