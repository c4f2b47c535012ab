//! `mga report` on folders as a sweep leaves them: every form of the report, and what it says when something is amiss.

mod amiss;
// `cfg(test)` tells clippy that its helpers may unwrap.
#[cfg(test)]
mod fixture;
mod folds;
#[cfg(test)]
mod foreign_bytes;
mod forms;
#[cfg(test)]
mod hostile;
mod masks;
mod page;
mod program;
#[cfg(test)]
mod searched;
mod selection;
// `cfg(test)` tells clippy that it may panic.
#[cfg(test)]
#[path = "../../../mga-data/tests/foreign_bytes/mutation.rs"]
mod mutation;
