//! The `mga` program as a library: a downstream crate registers its components and calls [`run`].
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     mga_cli::run(&mga_cli::components(), std::env::args_os())
//! }
//! ```

// What cannot be written ends no run and is no panic: output goes through `output::print`, and notes through `say!`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod say;

pub mod allocator;
pub mod commands;
pub mod download_bar;
mod images_bar;
pub mod output;
pub mod progress;
mod signals;
pub mod status;
mod sweep_report;
pub mod terminal_text;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use mga_experiment::Components;
use mga_hub::{Hub, Settings};

use crate::download_bar::DownloadBar;

/// Mask guided attention for fine-grained image classification, as experiments declared in TOML.
#[derive(Debug, Parser)]
#[command(name = "mga", version, propagate_version = true)]
pub struct Cli {
    /// Open no connection, and take files of the hub from the cache, like HF_HUB_OFFLINE=1.
    #[arg(long, global = true)]
    pub offline: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: commands::Command,
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever went wrong; [`status::report`] says it and knows the exit status.
    pub fn run(self, components: &Components) -> anyhow::Result<()> {
        let program = <Self as clap::CommandFactory>::command;
        match self.offline {
            true => self.command.run(&components.clone().offline(), program),
            false => self.command.run(components, program),
        }
    }
}

/// Returns all components of this workspace; what is downloaded is shown on standard error.
#[must_use]
pub fn components() -> Components {
    mga_train::components(Hub::new(Settings::from_env(), Arc::new(DownloadBar::default())))
}

/// Runs the program with its components and the arguments of the process, the program's name first, and returns its
/// exit code.
///
/// Exits with 0; 1 if the work failed; 2 for a wrong command line or experiment; 130 if it was interrupted.
pub fn run(components: &Components, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    allocator::keep_memory();
    status::report_panics();
    say::listen_to_notes();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match Cli::try_parse_from(arguments) {
        Ok(cli) => cli.run(components),
        Err(error) => Err(status::Usage(error).into()),
    }));
    match outcome {
        Ok(outcome) => ExitCode::from(status::report(outcome)),
        // The hook has said what happened.
        Err(_) => ExitCode::FAILURE,
    }
}
