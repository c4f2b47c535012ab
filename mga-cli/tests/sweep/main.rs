//! Sweeps from outside, with the real program on runs of less than a second: planned, refused, killed, retried.

// `cfg(test)` tells clippy that its helpers may unwrap.
mod expansion;
mod faults;
#[cfg(test)]
mod fixture;
#[cfg(unix)]
mod killed;
mod running;
mod searching;
