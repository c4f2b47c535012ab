//! `mga data split`: the folds of a cross-validation as columns of a table.

use std::path::PathBuf;

use mga_core::wording::counted;
use mga_data::folds::{FoldSettings, write_folds};

use crate::output;

const EXAMPLE: &str = "\
Example:
  mga data split images.csv --out folds.csv --group plant --stratify label --folds 5 --repeats 3 --seed 0

writes the table with columns repeat_0, repeat_1 and repeat_2, which hold the fold of each row. An experiment then trains
with data.dataset = \"table\", data.file = \"folds.csv\", and data.fold = \"0.3\" to test on fold 3 of the first repeat.";

/// Arguments of `mga data split`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// The table: CSV in UTF-8 with a header.
    table: PathBuf,
    /// The table to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The character between columns, such as ";"; left out: detected.
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<char>,
    /// The column whose values stay together in one fold, such as the plant that was photographed.
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,
    /// The column whose values are spread evenly over the folds, such as the class.
    #[arg(long, value_name = "COLUMN")]
    stratify: Option<String>,
    /// Folds.
    #[arg(long, default_value_t = 5)]
    folds: usize,
    /// The number of repetitions, each with its own folds.
    #[arg(long, default_value_t = 1)]
    repeats: usize,
    /// The seed of all folds.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Runs the command.
///
/// # Errors
/// A table that cannot be read or folded, or a result that is there already.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let out = args.out.display();
    anyhow::ensure!(
        !args.out.exists(),
        "{out}: already exists, and results may depend on it; name a new file with --out"
    );
    let Args { folds, repeats, seed, group, stratify, .. } = args;
    let settings = FoldSettings { folds, repeats, seed, group, stratify };
    let made = write_folds(&args.table, &args.out, args.delimiter, &settings)?;
    for note in &made.notes {
        say!("note: {note}");
    }
    let rows = counted(made.of.first().map_or(0, Vec::len), "row", "rows");
    let times = counted(repeats, "time", "times");
    Ok(output::print(format!("{out}: {rows} in {folds} folds, {times}\n"))?)
}
