//! Sweeps from outside, with the real program on runs of less than a second: planned, refused, killed, retried.

#[cfg(test)]
mod earlier;
mod expansion;
// `cfg(test)` tells clippy that helpers may unwrap.
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod idle;
#[cfg(test)]
#[cfg(unix)]
mod killed;
#[cfg(test)]
mod renamed;
mod running;
#[cfg(test)]
mod searching;
#[cfg(test)]
#[cfg(unix)]
mod slurm;
