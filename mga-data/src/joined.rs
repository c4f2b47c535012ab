//! Things that belong together if anything joins them, directly or by way of others.

use std::collections::BTreeMap;

/// Numbers from 0 in sets that are joined two by two (union and find).
pub(crate) struct Joined {
    parent: Vec<usize>,
}

impl Joined {
    /// So many numbers, each alone.
    pub(crate) fn of(count: usize) -> Self {
        Self { parent: (0..count).collect() }
    }

    /// Joins the sets of two numbers.
    pub(crate) fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        // The least number stands for its set, so that the order of joining does not matter.
        let (least, most) = (one.min(other), one.max(other));
        self.parent[most] = least;
    }

    /// The least number of the set.
    pub(crate) fn root(&mut self, mut number: usize) -> usize {
        while self.parent[number] != number {
            self.parent[number] = self.parent[self.parent[number]];
            number = self.parent[number];
        }
        number
    }

    /// The sets, each ascending, in the order of their first.
    pub(crate) fn sets(mut self) -> Vec<Vec<usize>> {
        let mut sets = BTreeMap::<usize, Vec<usize>>::new();
        for number in 0..self.parent.len() {
            sets.entry(self.root(number)).or_default().push(number);
        }
        sets.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_joined_by_way_of_others_in_any_order() {
        for pairs in [[(0, 3), (5, 3), (1, 2)], [(1, 2), (3, 5), (5, 0)]] {
            let mut joined = Joined::of(6);
            pairs.into_iter().for_each(|(one, other)| joined.join(one, other));
            assert_eq!(joined.sets(), [vec![0, 3, 5], vec![1, 2], vec![4]]);
        }
        assert!(Joined::of(0).sets().is_empty());
    }
}
