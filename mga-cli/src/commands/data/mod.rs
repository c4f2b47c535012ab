//! `mga data`: looking data over, folding tables and folders, writing data sets to disk.

mod check;
mod looked_at;
mod make;
mod many;
mod of_masks;
mod settings;
mod split;

use mga_experiment::Components;

const EXAMPLE: &str = "\
Examples:
  mga data check experiments/quickstart.toml
  mga data split images.csv --out folds.csv --group plant --stratify label
  mga data make --dataset leaves --out data/leaves";

/// Arguments of `mga data`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check the data of an experiment or a sweep: unreadable files, duplicates and groups across splits, class balance, sizes and
    /// masks.
    Check(check::Args),
    /// Write the folds of a cross-validation, of a table or of a folder of images, into a table to keep.
    Split(split::Args),
    /// Write a data set to disk as folders of PNG files, which `image-folder` reads.
    Make(make::Args),
}

/// Runs the command.
///
/// # Errors
/// What the command says; `check` fails where there are problems.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    match args.command {
        Command::Check(args) => check::run(args, components),
        Command::Split(args) => split::run(args),
        Command::Make(args) => make::run(args, components),
    }
}
