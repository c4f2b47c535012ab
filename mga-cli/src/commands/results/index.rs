//! `mga results index`: a SQLite file for whoever likes to ask in SQL.

use std::path::PathBuf;

use mga_core::wording::counted;
use mga_report::results::{Note, read};
use mga_report::run_table::RunTable;

use crate::output::print;

const EXAMPLE: &str = "\
Example:
  mga results index runs/attention
  sqlite3 runs/attention/index.sqlite 'SELECT key, top1 FROM runs WHERE \"model.attention\" = \"residual\"'

The file is made anew from the run folders each time. To delete it loses nothing: mga itself reads the folders. Make it when
runs have ended; jobs on a cluster neither need nor open it.";

/// Arguments of `mga results index`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// The folder of a sweep, or one with runs in it.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// No run in the folder; the file cannot be written; the program was built without SQLite.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let results = read(&[&args.folder])?;
    super::warnings::warn(&results);
    let notes: Vec<Note> = results.all_notes().collect();
    let path = write(&args.folder, &RunTable::of(&results.records), &notes)?;
    Ok(print(format!("{}: {}\n", path.display(), counted(results.records.len(), "run", "runs")))?)
}

#[cfg(feature = "sqlite")]
use mga_report::run_table::write_index as write;

#[cfg(not(feature = "sqlite"))]
fn write(_: &std::path::Path, _: &RunTable, _: &[Note]) -> anyhow::Result<PathBuf> {
    anyhow::bail!(
        "this mga was built without SQLite: build it with the feature `sqlite`, or use `mga results export --csv`"
    )
}
