//! Sweeps: one experiment run under many settings, each run a process and a folder of its own.
//!
//! [`Planner`] reads a sweep file and makes a [`Plan`]; [`Plan::write`] puts it into a folder, from which [`Plan::open`]
//! reads it again without looking at data or weights: all that a job on a cluster needs. [`run_cell`] runs one
//! [`Cell`], [`Crew`] all that are left on this machine.

mod baseline;
mod best;
mod child;
mod crew;
mod draws;
mod estimate;
mod expand;
mod file;
mod follower;
mod identities;
mod idle;
mod key;
pub mod launchers;
mod plan;
mod planner;
mod rounds;
mod run_state;
pub mod search;
mod searched;
mod settings;
mod share;
mod state;
mod superseded;
mod sweep_schema;
mod taken_over;
mod takeover;

pub use best::{Best, Scores};
pub use child::{LOG, Running};
pub use crew::{Crew, run_cell};
pub use draws::Draws;
pub use estimate::{ArmTime, Estimate};
pub use file::{Baseline, Budget, SweepFile};
pub use follower::{Follower, duration};
pub use key::short_key;
pub use plan::{CELL, Cell, CellRecord, EXPERIMENT, PLAN, Plan};
pub use planner::{Planner, begun_with};
pub use rounds::PlannedRounds;
pub use run_state::{RunState, STATE};
pub use settings::repeats;
pub use share::{Share, gpus, shares, takes_any_gpu};
pub use state::{Process, State};
pub use superseded::Superseded;
pub use sweep_schema::sweep_schema;
pub use taken_over::TakenOver;
