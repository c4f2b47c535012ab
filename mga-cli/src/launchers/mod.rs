//! Where the runs of a sweep are started: on this machine ([`crate::sweep::Crew`]), or by a cluster's queue.

pub mod settings;
pub mod slurm;

/// Who starts the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Launcher {
    /// This command, on this machine.
    #[default]
    Local,
    /// SLURM, as a job array; this command submits it and ends.
    Slurm,
}
