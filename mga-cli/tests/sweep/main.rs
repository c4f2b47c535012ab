//! Sweeps from outside, with the real program on runs of less than a second: planned, refused, killed, retried.

mod expansion;
mod faults;
#[cfg(unix)]
mod killed;
mod running;
mod searching;
// `cfg(test)` tells clippy that its helpers may unwrap.
#[cfg(test)]
mod fixture;
