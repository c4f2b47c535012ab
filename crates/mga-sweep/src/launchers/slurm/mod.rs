//! Runs of a sweep as job arrays of SLURM.
//!
//! A task runs `mga sweep-task`, which reads nothing but the sweep's folder, the data and the cache of weights; what came of
//! it is in the run's folder. Which runs are queued SLURM is asked each time, by the names of the jobs: what the folder says
//! of them could be out of date.

mod launcher;
mod queue;
mod quoting;
mod script;
mod settings;
mod submission;

pub use launcher::Slurm;
pub use queue::{Task, submit, tasks};
pub(crate) use quoting::Shell;
pub use script::{Array, script};
pub use settings::{Gpus, SlurmSettings};
pub use submission::{FOLDER, JOBS, Scripts, Submitted, Written};
