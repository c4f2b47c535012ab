//! Runs from outside, with the real program on a few drawn leaves: killed, interrupted, resumed, repeated, refused.

mod agreement;
mod bad_input;
mod checked;
#[cfg(unix)]
mod closed_output;
mod few_shot;
mod image_counts;
mod mask_files;
mod photographs;
mod release_0_1_0;
mod repeated;
mod resumed;
#[cfg(unix)]
mod signals;
mod tables;
mod threads;
mod tiny;
mod unlabelled;
mod untested;
mod verified;
