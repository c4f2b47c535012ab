//! `mga completions`: a completion script for a shell.

use clap_complete::Shell;

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

/// Runs the command of a program with this command line.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: Args, program: fn() -> clap::Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program(), "mga", &mut script);
    Ok(output::print(String::from_utf8_lossy(&script))?)
}
