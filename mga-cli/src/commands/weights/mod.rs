//! `mga weights`: published weights by name; weight files converted, exported, looked into.

mod convert;
mod export;
mod inspect;
mod list;
mod model_card;
mod pull;

use mga_experiment::Components;

const EXAMPLE: &str = "\
Examples:
  mga weights list
  mga weights pull timm/densenet161.tv_in1k
  mga weights inspect timm/densenet161.tv_in1k";

/// Arguments of `mga weights`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Download weights into the cache that Python shares, and check them.
    Pull(pull::Args),
    /// List the weights known by name, and what is in the cache.
    List(list::Args),
    /// List the tensors of a weight file: names, shapes, types, metadata.
    Inspect(inspect::Args),
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
        Command::Pull(args) => pull::run(args, components),
        Command::List(args) => list::run(args, components),
        Command::Inspect(args) => inspect::run(args, components),
        Command::Convert(args) => convert::run(args),
        Command::Export(args) => export::run(args, components),
    }
}
