//! The program with its own components, from outside: it lists them, checks, trains, sweeps and reports on them, and a run
//! that is killed ends as one that was left in peace.

// `cfg(test)` tells clippy that its helpers may unwrap.
#[cfg(test)]
mod backbone;
#[cfg(test)]
mod documented;
#[cfg(test)]
mod everything;
#[cfg(test)]
mod folder;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod launcher;
#[cfg(test)]
mod mask_source;
#[cfg(test)]
mod network;
#[cfg(test)]
mod program;
#[cfg(test)]
mod search;
#[cfg(test)]
mod segmentation;
#[cfg(test)]
mod staged_sweeps;
#[cfg(test)]
mod stages;
