//! `mga data split`: the folds of a cross-validation as columns of a table.

use std::path::PathBuf;

use mga_core::wording::counted;
use mga_data::folds::{FoldSettings, RowSettings, write_folds, write_folds_of_folder};

use crate::output;

const EXAMPLE: &str = r#"Examples:
  mga data split images.csv --out folds.csv --group plant --stratify label --folds 5 --repeats 3 --seed 0
  mga data split photographs --out folds.csv --label '(?P<class>[A-Za-z]+)_(?P<plant>\d+)' --folds 5
  mga data split images.csv --out folds.csv --stratify label --keep-together alike.csv

The first writes the table with columns repeat_0, repeat_1 and repeat_2, which hold the fold of each row. An experiment
then trains with data.dataset = "table", data.file = "folds.csv", and data.fold = "0.3" to test on fold 3 of the first repeat.

Of a folder, such a table is made: of every image with its class, which stands in its name or is called as its folder. A
folder of masks gives a column of masks."#;

/// Arguments of `mga data split`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// The table, CSV in UTF-8 with a header; or a folder of images.
    #[arg(value_name = "TABLE|FOLDER")]
    input: PathBuf,
    /// The table to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A regular expression that reads the class, and what stays together, from the path of each image without extension,
    /// as data.label does: (?P<class>…) is the class, (?P<plant>…) a plant of it, (?P<group>…) a group by itself.
    #[arg(long, value_name = "REGEX")]
    label: Option<String>,
    /// Leave out what cannot be used, such as images whose names --label does not match, and say so; otherwise that is an
    /// error.
    #[arg(long)]
    skip_errors: bool,
    /// A table with columns file and group, such as `mga data check --groups-out` writes: files of one group stay together
    /// in one fold, as do those of one --group, directly or by way of others.
    #[arg(long, value_name = "CSV")]
    keep_together: Option<PathBuf>,
    /// The character between columns, such as ";"; left out: detected.
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<char>,
    /// The column of the files, which --label and --keep-together read; left out: file.
    #[arg(long, value_name = "COLUMN")]
    file: Option<String>,
    /// The column whose values stay together in one fold, such as the plant that was photographed.
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,
    /// The column whose values are spread evenly over the folds, such as the class. Left out: the class that --label reads,
    /// or that of the folders.
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
/// A table or folder that cannot be read or folded, or a result that is there already.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let out = args.out.display();
    anyhow::ensure!(
        !args.out.exists(),
        "{out}: already exists, and results may depend on it; name a new file with --out"
    );
    let Args { folds, repeats, seed, group, stratify, .. } = args;
    let settings = FoldSettings { folds, repeats, seed, group, stratify };
    let Args { delimiter, file, label, skip_errors, keep_together, .. } = args;
    let rows = RowSettings { delimiter, file, label, skip_errors, keep_together };
    let of_folder = args.input.is_dir();
    let write = if of_folder { write_folds_of_folder } else { write_folds };
    let made = write(&args.input, &args.out, &rows, &settings)?;
    for note in &made.notes {
        say!("note: {note}");
    }
    let count = made.of.first().map_or(0, Vec::len);
    let rows = if of_folder { counted(count, "image", "images") } else { counted(count, "row", "rows") };
    let times = counted(repeats, "time", "times");
    Ok(output::print(format!("{out}: {rows} in {folds} folds, {times}\n"))?)
}
