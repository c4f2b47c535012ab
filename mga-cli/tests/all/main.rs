//! `mga` from outside: every test starts the program, or calls what it consists of as its commands do.

// `cfg(test)` tells clippy that tests and their helpers may unwrap.
#[cfg(test)]
mod classifiers;
#[cfg(test)]
mod controls;
#[cfg(test)]
mod converted_weights;
#[cfg(test)]
mod data;
#[cfg(test)]
mod experiment;
#[cfg(test)]
mod exported_weights;
#[cfg(test)]
mod init;
#[cfg(test)]
mod packaging;
#[cfg(test)]
mod prediction;
#[cfg(test)]
mod program;
#[cfg(test)]
mod progress;
#[cfg(test)]
mod report;
#[cfg(test)]
mod segmentation;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod training;
#[cfg(test)]
mod weights;

use mga_testing::place::Place;

/// The program.
const MGA: &str = env!("CARGO_BIN_EXE_mga");

/// A folder of one test, with the program in it.
fn place() -> Place {
    Place::new(MGA)
}
