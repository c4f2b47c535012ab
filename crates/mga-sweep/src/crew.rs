//! Runs the cells that are left, some at once, until all have ended or a signal comes.

use std::collections::VecDeque;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mga_train::folder_lock::FolderLock;
use mga_train::interrupt::Interrupt;

use super::child::Running;
use super::follower::Follower;
use super::plan::Cell;
use super::run_state::RunState;
use super::share::Share;
use super::state::State;

/// How often processes are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How often a run that another process works on is looked at.
const LOOK_ELSEWHERE: Duration = Duration::from_millis(500);

/// Runs cells.
pub struct Crew<'a> {
    /// The shares of the machine, one for each run that is active at once.
    pub shares: Vec<Share>,
    /// Open no connection.
    pub offline: bool,
    /// Raised by a signal.
    pub interrupt: &'a Interrupt,
}

impl Crew<'_> {
    /// Runs all cells in order. A run that fails does not stop the others, and a run that another process works on is
    /// waited for. After a signal, active runs are asked to save and end.
    pub fn run(&self, cells: &[&Cell], follower: &mut dyn Follower) {
        let mut todo: VecDeque<&Cell> = cells.iter().copied().collect();
        let mut elsewhere: Vec<&Cell> = Vec::new();
        let mut looked = Instant::now();
        let mut running: Vec<Option<Running>> = self.shares.iter().map(|_| None).collect();
        let mut ending = false;
        loop {
            if self.interrupt.is_raised() && !ending {
                ending = true;
                running.iter_mut().flatten().for_each(Running::end);
            }
            for (slot, share) in running.iter_mut().zip(&self.shares) {
                if let Some(run) = slot {
                    // What cannot be written down, on a full disk say, is a failure of this run alone.
                    let ended = run.ended().unwrap_or_else(|error| Some(failed(&run.cell, &error)));
                    if let Some(state) = ended {
                        follower.ended(&run.cell, &state, run.seconds());
                        *slot = None;
                    }
                }
                while slot.is_none() && !ending {
                    let Some(cell) = todo.pop_front() else { break };
                    if FolderLock::holder(cell.folder()).is_some() {
                        follower.elsewhere(cell);
                        elsewhere.push(cell);
                        continue;
                    }
                    match Running::start(cell, share, self.offline) {
                        Ok(run) => {
                            follower.started(cell);
                            *slot = Some(run);
                        }
                        Err(error) => follower.ended(cell, &failed(cell, &error), 0.0),
                    }
                }
            }
            let idle = running.iter().all(Option::is_none);
            if idle && (ending || todo.is_empty() && elsewhere.is_empty()) {
                return;
            }
            if looked.elapsed() > LOOK_ELSEWHERE {
                looked = Instant::now();
                elsewhere.retain(|cell| {
                    let state = cell.state();
                    match state.state {
                        RunState::Running => return true,
                        RunState::Finished => follower.ended(cell, &state, state.seconds),
                        // Whoever worked on it is gone: it goes on here.
                        _ => todo.push_back(cell),
                    }
                    false
                });
                follower.tick();
            }
            sleep(LOOK);
        }
    }
}

/// The state of a run that could not be started or followed, written down where that is possible.
fn failed(cell: &Cell, error: &anyhow::Error) -> State {
    let state = State {
        state: RunState::Failed,
        error: Some(format!("{error:#}")),
        process: None,
        ..State::of_run(cell.folder())
    };
    let _ = state.write(cell.folder());
    state
}

/// Runs one planned cell to its end, whatever other cells do, and returns its state.
///
/// # Errors
/// Another process works on it; its process cannot be started; its folder cannot be written to.
pub fn run_cell(cell: &Cell, share: &Share, offline: bool, interrupt: &Interrupt) -> anyhow::Result<State> {
    if let Some(holder) = FolderLock::holder(cell.folder()) {
        anyhow::bail!("{}: {holder} works on this run already", cell.folder().display());
    }
    let mut run = Running::start(cell, share, offline)?;
    let mut ending = false;
    loop {
        if let Some(state) = run.ended()? {
            return Ok(state);
        }
        if interrupt.is_raised() && !ending {
            ending = true;
            run.end();
        }
        sleep(LOOK);
    }
}
