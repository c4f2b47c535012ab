//! Runs from outside, with the real program on a few drawn leaves: killed, interrupted, resumed, repeated, refused.

mod agreement;
mod bad_input;
#[cfg(test)]
mod checked;
#[cfg(test)]
mod mask_files;
mod noted;
#[cfg(test)]
mod photographs;
#[cfg(test)]
mod release_0_1_0;
mod repeated;
mod resumed;
#[cfg(unix)]
mod signals;
#[cfg(test)]
mod tables;
mod threads;
// `cfg(test)` tells clippy that its helpers may unwrap.
#[cfg(test)]
mod tiny;
#[cfg(test)]
#[cfg(unix)]
mod unheard;
#[cfg(test)]
mod unlabelled;
#[cfg(test)]
mod verified;
