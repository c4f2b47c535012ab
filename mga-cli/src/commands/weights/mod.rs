//! `mga weights`: weight files converted and exported.

mod convert;
mod export;
mod model_card;

use crate::components::Components;

/// Arguments of `mga weights`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Turn a PyTorch checkpoint into a safetensors file, without running anything in it.
    Convert(convert::Args),
    /// Write a finished run as a folder for the hub: weights, configuration, model card, PyTorch program.
    Export(export::Args),
}

/// Runs the command.
///
/// # Errors
/// What the command says.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    match args.command {
        Command::Convert(args) => convert::run(args),
        Command::Export(args) => export::run(args, components),
    }
}
