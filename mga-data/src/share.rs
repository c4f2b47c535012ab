//! Which part of a batch a process loads, where several train together.

use std::ops::Range;

/// The part of one of `size` ranks. A function of the plan alone: no rank has to ask another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The rank, from 0.
    pub rank: usize,
    /// The number of ranks.
    pub size: usize,
}

impl Share {
    /// The share of a single rank, which is everything.
    pub const ALL: Self = Self { rank: 0, size: 1 };

    /// Returns its part of `count` things in a row. The parts of all ranks, one behind the other, are the whole; they differ
    /// by one thing at most.
    #[must_use]
    pub fn of(self, count: usize) -> Range<usize> {
        let size = self.size.max(1);
        count * self.rank / size..count * (self.rank + 1) / size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_whole() {
        for size in 1..6 {
            for count in 0..20 {
                let parts: Vec<_> = (0..size).map(|rank| Share { rank, size }.of(count)).collect();
                let whole: Vec<usize> = parts.iter().cloned().flatten().collect();
                assert_eq!(whole, (0..count).collect::<Vec<_>>());
                assert!(parts.iter().all(|part| part.len().abs_diff(count / size) <= 1), "{parts:?}");
            }
        }
        assert_eq!(Share::ALL.of(7), 0..7);
    }
}
