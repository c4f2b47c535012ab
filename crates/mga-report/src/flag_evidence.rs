//! The evidence for flags.

use super::model::{Arm, Column, Flag, FlagKind, Run};
use super::wording::list;
use crate::results::Record;

/// Everything that a flag is about.
pub(super) struct Seen<'a> {
    pub(super) arms: &'a [Arm],
    pub(super) runs: &'a [Run],
    pub(super) records: &'a [Record],
    pub(super) column: &'a Column,
    /// Runs that were left out because another fills their cell.
    pub(super) duplicates: &'a [usize],
}

/// A flag, to be given its mark when all are there.
pub(super) fn flag(kind: FlagKind, arms: Vec<usize>, message: String) -> Flag {
    Flag { kind, mark: String::new(), arms, message, gap: None }
}

impl Seen<'_> {
    pub(super) fn counted(&self, arm: usize) -> impl Iterator<Item = usize> + '_ {
        self.arms[arm].runs.iter().copied().filter(|&run| self.runs[run].counted)
    }

    pub(super) fn all_counted(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.runs.len()).filter(|&run| self.runs[run].counted)
    }

    pub(super) fn value(&self, run: usize) -> Option<f64> {
        self.runs[run].values.first().copied().flatten()
    }

    /// The arms that runs belong to, in order.
    pub(super) fn arms_of(&self, runs: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut arms: Vec<usize> = runs.into_iter().map(|run| self.runs[run].arm).collect();
        arms.sort_unstable();
        arms.dedup();
        arms
    }

    pub(super) fn names(&self, arms: &[usize]) -> String {
        list(&arms.iter().map(|&arm| self.arms[arm].name.as_str()).collect::<Vec<_>>())
    }

    /// `0.012` as `1.2 points`.
    pub(super) fn points(&self, value: f64) -> String {
        format!("{}{}", self.column.show_difference(Some(value)), self.column.difference_unit())
    }
}
