//! Sweeps from outside, with the real program on runs of less than a second: planned, refused, killed, retried.

// `cfg(test)` tells clippy that its helpers may unwrap.
mod expansion;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixture;
#[cfg(test)]
#[cfg(unix)]
mod killed;
mod running;
mod searching;
#[cfg(test)]
#[cfg(unix)]
mod slurm;
