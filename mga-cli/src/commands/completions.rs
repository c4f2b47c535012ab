//! `mga completions`: a completion script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;
use mga_experiment::Components;

use crate::output;

const EXAMPLE: &str = "\
Example:
  mga completions bash > ~/.local/share/bash-completion/completions/mga";

/// Arguments of `mga completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// The shell.
    shell: Shell,
}

/// Runs the command.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: Args, _: &Components) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "mga", &mut script);
    Ok(output::print(String::from_utf8_lossy(&script))?)
}
