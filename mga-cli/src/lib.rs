//! The `mga` program as a library: a downstream crate registers its components and calls [`run`].
//!
//! ```no_run
//! use mga_cli::Components;
//!
//! fn main() -> std::process::ExitCode {
//!     mga_cli::run(&Components::builtin(), std::env::args_os())
//! }
//! ```

// What cannot be written ends no run and is no panic: output goes through `output::print`, and notes through `say!`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod say;

pub mod allocator;
pub mod assemble;
#[cfg(test)]
mod awkward;
pub mod checkpoint;
pub mod commands;
pub mod components;
pub mod csv_file;
pub mod data_set;
pub mod deletion;
pub mod described_model;
pub mod download_bar;
pub mod environment;
pub mod experiment;
pub mod file_hashes;
pub mod fingerprint;
pub mod folder_lock;
pub mod gallery;
pub mod identity;
pub mod image_files;
pub mod interrupt;
pub mod launchers;
pub mod loaders;
pub mod mask_coverage;
pub mod mask_files;
pub mod mask_survey;
pub mod network_input;
pub mod output;
pub mod pictures;
pub mod plots;
pub mod prediction;
pub mod preprocessing;
pub mod progress;
pub mod rehearsal;
pub mod remembered;
pub mod reports;
pub mod results;
pub mod run_folder;
pub mod run_table;
pub mod runners;
pub mod segmenting;
pub mod status;
pub mod sweep;
pub mod tasks;
pub mod tensorboard;
pub mod terminal_text;
pub mod verification;
pub mod weights_config;
pub mod weights_folder;
pub mod weights_source;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use components::{BackboneComponent, Components};

/// Mask guided attention for fine-grained image classification, as experiments declared in TOML.
#[derive(Debug, Parser)]
#[command(name = "mga", version, propagate_version = true)]
pub struct Cli {
    /// Open no connection: what the hub has is taken from the cache. As HF_HUB_OFFLINE=1.
    #[arg(long, global = true)]
    pub offline: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: commands::Command,
}

/// Runs the program with what it was built with and the arguments of the process, the program's name first.
///
/// Exits with 0; 1 if the work failed; 2 for a wrong command line or experiment; 130 if it was interrupted.
pub fn run(components: &Components, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    allocator::keep_memory();
    status::report_panics();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match Cli::try_parse_from(arguments) {
        Ok(cli) if cli.offline => cli.command.run(&components.clone().offline()),
        Ok(cli) => cli.command.run(components),
        Err(error) => Err(status::Usage(error).into()),
    }));
    match outcome {
        Ok(outcome) => ExitCode::from(status::report(outcome)),
        // The hook has said what happened.
        Err(_) => ExitCode::FAILURE,
    }
}
