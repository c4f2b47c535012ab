//! The arguments of `mga eval`.

use std::path::PathBuf;

const EXAMPLE: &str = "\
Examples:
  mga eval runs/first --split test
  mga eval experiments/mga/soybean_2_1.toml --weights model.safetensors --out runs/check --logits
  mga eval sweeps/attention --set data.background=clutter --out sweeps/attention-on-clutter
  mga eval exported/ --data photographs/

Of a sweep, every finished run is evaluated on its test images with the settings changed, such as another background, and
written as a run below --out/runs, so that `mga report` gives the same tables, intervals and tests of it. A command that was
stopped continues where it was.";

/// Evaluate a run folder, an experiment with weights, or all runs of a sweep.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// A run folder, an experiment file, the folder of a sweep, or a folder written by `mga weights export`.
    pub(super) run: PathBuf,
    /// For an exported folder: photographs in a folder for each class, all of which are evaluated.
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// A weight file; left out: the run's best checkpoint, else its last, else the experiment's weights.
    #[arg(long)]
    pub(super) weights: Option<PathBuf>,
    /// Which images.
    #[arg(long, default_value = "test", value_parser = ["train", "validation", "test"])]
    pub(super) split: String,
    /// Set a key of the experiment. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// A folder for predictions.csv, confusion.csv and evaluation.json.
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
    /// Also write logits.safetensors there.
    #[arg(long, requires = "out")]
    pub(super) logits: bool,
}
