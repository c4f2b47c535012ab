//! Helpers for the tests of the crates: a folder of a test with the program in it, tiny experiments, pictures and
//! masks, a stand-in for the hub, damage to files, and an allocator that counts.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking, in its helpers too")]

pub mod allocation;
pub mod awkward;
pub mod experiments;
pub mod files;
pub mod mutation;
pub mod pictures;
pub mod place;
pub mod process;
pub mod stand_in;
