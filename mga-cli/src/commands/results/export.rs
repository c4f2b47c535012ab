//! `mga results export`: one row a run, for pandas, polars, R and spreadsheets.

use std::path::PathBuf;

use anyhow::Context;
use mga_core::wording::counted;
use mga_report::results::read;
#[cfg(feature = "parquet")]
use mga_report::run_table::to_parquet;
use mga_report::run_table::{RunTable, to_csv};

use crate::output::{print, write_file};

const EXAMPLE: &str = "\
Example:
  mga results export runs/attention --parquet runs.parquet

Columns: key, folder, sweep, arm, replicate, state, error, seconds; the reported checkpoint's metrics by their names (top1),
those of both checkpoints (selected.top1, last.top1); identity.*; every setting by its key (model.attention);
environment.*. Lists are JSON. A missing value is empty in CSV and null in Parquet.";

/// Arguments of `mga results export`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// Folders of sweeps or runs.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Write this CSV file.
    #[arg(long, value_name = "FILE", required_unless_present = "parquet")]
    csv: Option<PathBuf>,
    /// Write this Parquet file, with the types of the columns.
    #[arg(long, value_name = "FILE")]
    parquet: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// No run in a folder; a file that cannot be written; Parquet, where the program was built without it.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let results = read(&args.folders)?;
    super::warnings::warn(&results);
    let table = RunTable::of(&results.records);
    let files = [(args.csv, to_csv as fn(&RunTable) -> _), (args.parquet, to_parquet)];
    for (path, bytes) in files.into_iter().filter_map(|(path, bytes)| Some((path?, bytes))) {
        write_file(&path, &bytes(&table)?).with_context(|| format!("{}: cannot be written", path.display()))?;
        let runs = counted(table.rows(), "run", "runs");
        print(format!("{}: {runs}, {} columns\n", path.display(), table.columns.len()))?;
    }
    Ok(())
}

#[cfg(not(feature = "parquet"))]
fn to_parquet(_: &RunTable) -> anyhow::Result<Vec<u8>> {
    anyhow::bail!("this mga was built without Parquet: build it with the feature `parquet`, or use --csv")
}
