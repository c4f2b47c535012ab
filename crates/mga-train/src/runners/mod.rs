//! The runners of an experiment, whatever its task: checking it, training, evaluating a split, timing a few steps.

pub mod check;
pub mod epoch_sums;
pub mod evaluate;
pub mod evaluated_run;
pub mod evaluation;
mod finish;
pub mod finite;
mod launched;
pub mod learner;
pub mod loss_parts;
mod stage;
mod stages;
pub mod step;
mod suspect;
pub mod timing;
pub mod train;
pub mod training;
