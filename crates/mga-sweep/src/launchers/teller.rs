//! The messages of launchers for people and machines.

use serde_json::Value;

use crate::estimate::Estimate;
use crate::follower::Follower;
use crate::plan::{Cell, Plan};
use crate::taken_over::TakenOver;

/// Hears what a launcher does with a sweep. The program that shows it implements this.
pub trait Teller: Follower {
    /// Says a line to people.
    fn line(&mut self, text: &str);

    /// Says an object to machines.
    fn object(&mut self, value: Value);

    /// Tells of runs that were found under other names.
    fn taken_over(&mut self, taken: &[TakenOver]);

    /// Takes the plan in force.
    fn planned(&mut self, plan: &Plan);

    /// Takes the score of a run that was finished before.
    fn known(&mut self, cell: &Cell);

    /// Takes how many runs there are in all, are finished, and have failed.
    fn standing(&mut self, total: usize, finished: usize, failed: usize);

    /// Takes how many runs go on at once.
    fn at_once(&mut self, jobs: usize);

    /// Takes how long a run takes, before the first of this command has ended.
    fn expect(&mut self, estimate: Estimate);

    /// Says what came of a sweep whose runs have ended, and returns how many failed.
    fn end(&mut self, interrupted: bool) -> usize;
}
