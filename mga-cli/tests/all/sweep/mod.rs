//! Sweeps from outside, with the real program on runs of less than a second: planned, refused, killed, retried.

mod earlier;
mod evaluated;
mod expansion;
mod faults;
mod fixture;
mod idle;
#[cfg(unix)]
mod killed;
mod renamed;
mod running;
mod searching;
#[cfg(unix)]
mod slurm;
