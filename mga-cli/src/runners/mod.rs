//! What runs an experiment: the training loop, and the evaluation of a split.

pub mod evaluation;
pub mod training;
