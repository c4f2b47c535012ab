//! The experiment file from outside: layers, faults, and going round through the resolved file.

#[cfg(test)]
mod documented;
mod faults;
// `cfg(test)` tells clippy that its helpers may unwrap.
#[cfg(test)]
mod fixture;
mod foreign_bytes;
mod identities;
#[cfg(test)]
mod idle;
mod layers;
#[cfg(test)]
mod markdown;
#[cfg(test)]
#[path = "../../../mga-data/tests/foreign_bytes/mutation.rs"]
mod mutation;
