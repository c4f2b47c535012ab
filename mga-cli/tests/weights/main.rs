//! `mga weights` and `model.weights` from outside, against a stand-in for the hub.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bench;
mod described;
mod folders;
mod interrupted;
mod names;
mod predicted;
mod segmenters;
#[path = "../../../mga-hub/tests/stand_in/mod.rs"]
mod stand_in;
mod training;
