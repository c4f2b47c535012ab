//! What runs an experiment: the training loop, what the tasks train with it, and the evaluation of a split.

pub mod agreement;
pub mod class_weights;
pub mod classification;
pub mod evaluation;
pub mod guidance;
pub mod learner;
pub mod segmentation;
pub mod segmentation_evaluation;
pub mod segmentation_run;
mod suspect;
pub mod timing;
pub mod training;
