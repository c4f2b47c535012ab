//! `mga schema`: the JSON schema of the experiment file, or of the sweep file.

use std::path::PathBuf;

use anyhow::Context;
use mga_experiment::Components;
use mga_experiment::experiment_schema;
use mga_sweep::launchers::launchers;
use mga_sweep::search::searches;
use mga_sweep::sweep_schema;

use crate::output;

const EXAMPLE: &str = "\
Example:
  mga schema --out experiments/schema.json
  mga schema --sweep --out experiments/sweep-schema.json

Editors that know TOML schemas, such as those with Even Better TOML, complete and check an experiment file that begins with
`#:schema schema.json`.";

/// Arguments of `mga schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// The schema of the sweep file.
    #[arg(long)]
    sweep: bool,
    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Returns the schema as text, as it is printed and kept in `experiments/schema.json`.
///
/// # Errors
/// None that a schema can have; JSON's own.
pub fn text(components: &Components) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&experiment_schema(components))? + "\n")
}

/// Returns the schema of the sweep file as text, as it is printed and kept in `experiments/sweep-schema.json`.
///
/// # Errors
/// None that a schema can have; JSON's own.
pub fn sweep_text(components: &Components) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&sweep_schema(&launchers(components), &searches(components)))? + "\n")
}

/// Runs the command.
///
/// # Errors
/// The file or standard output cannot be written.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let text = if args.sweep { sweep_text(components)? } else { text(components)? };
    match &args.out {
        None => Ok(output::print(text)?),
        Some(path) => {
            output::write_file(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
        }
    }
}
