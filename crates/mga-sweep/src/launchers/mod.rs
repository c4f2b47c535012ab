//! Where the runs of a sweep are started: on this machine ([`crate::Crew`]), or by a cluster's queue.

pub mod settings;
pub mod slurm;
