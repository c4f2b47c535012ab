//! `mga results`: what came of runs, listed, compared, exported and indexed.

mod compare;
mod export;
mod index;
mod list;
mod warnings;

const EXAMPLE: &str = "\
Examples:
  mga results list runs/attention --where state=finished --sort top1 --descending
  mga results compare runs/attention/runs/none.seed-1-4f1c02ab runs/attention/runs/residual.seed-1-99ab01cd
  mga results export runs/attention --csv runs.csv --parquet runs.parquet
  mga results index runs/attention

A folder is that of a sweep, one that contains runs, or that of a run. Every command reads the folders, whatever else is there.";

/// Arguments of `mga results`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List runs with the settings that differ and their results.
    List(list::Args),
    /// Show the settings in which runs differ, and their metrics side by side.
    Compare(compare::Args),
    /// Write one row per run, with every setting and metric, as CSV or Parquet.
    Export(export::Args),
    /// Make a sweep's SQLite file anew from its run folders.
    Index(index::Args),
}

/// Runs the command.
///
/// # Errors
/// What the command says.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::List(args) => list::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Export(args) => export::run(args),
        Command::Index(args) => index::run(args),
    }
}
