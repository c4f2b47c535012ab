//! The runs of a plan that are left to start.

use std::collections::BTreeMap;

use super::launcher::{Queued, queued_of};
use super::teller::Teller;
use crate::plan::{Cell, Plan};
use crate::run_state::RunState;
use crate::state::State;

/// The runs of a plan by where they stand.
#[derive(Debug)]
pub struct Left<'a> {
    /// Every run, and how far it is.
    pub all: Vec<(&'a Cell, State)>,
    /// The runs that are neither finished nor failed nor queued, in the order of the plan. Another process may work on
    /// some of them.
    pub cells: Vec<(&'a Cell, RunState)>,
    /// The number of finished runs.
    pub finished: usize,
    /// The number of runs that failed and are not started again.
    pub failed: usize,
    /// The number of runs that are queued elsewhere.
    pub queued: usize,
}

impl<'a> Left<'a> {
    /// Looks at the folders of all runs. `retry` counts those that failed among the ones that are left.
    ///
    /// # Errors
    /// A folder cannot be written to.
    pub fn of(
        plan: &'a Plan,
        retry: bool,
        queued: &BTreeMap<String, Queued>,
        teller: &mut dyn Teller,
    ) -> anyhow::Result<Self> {
        let all = plan.cells.iter().map(|cell| (cell, cell.state())).collect();
        let mut left = Self { all, cells: vec![], finished: 0, failed: 0, queued: 0 };
        for (cell, state) in &left.all {
            match state.state {
                RunState::Finished => {
                    left.finished += 1;
                    // A process that was killed may not have written of it.
                    if State::of_file(cell.folder()).is_none_or(|written| written.state != RunState::Finished) {
                        state.write(cell.folder())?;
                    }
                    teller.known(cell);
                }
                // A task that has just failed or saved may be on its way back into the queue.
                _ if queued_of(queued, cell).is_some() => left.queued += 1,
                RunState::Failed if !retry => left.failed += 1,
                state => left.cells.push((cell, state)),
            }
        }
        Ok(left)
    }
}
