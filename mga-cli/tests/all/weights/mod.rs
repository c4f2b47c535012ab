//! `mga weights` and `model.weights` from outside, against a stand-in for the hub.

mod bench;
mod described;
mod folders;
mod interrupted;
mod names;
mod predicted;
mod segmenters;
mod training;
