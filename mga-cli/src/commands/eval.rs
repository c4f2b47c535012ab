//! `mga eval`: a run, or an experiment with weights, on a split.

use std::path::PathBuf;

use mga_experiment::Components;
use mga_train::assemble;
use mga_train::run_folder::RunFolder;
use mga_train::runners::evaluate::{EvaluatedSplit, Weights, evaluate};

use crate::commands::train::load_run;
use crate::output::print;
use crate::signals;

/// Evaluate a run folder, or an experiment with weights.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mga eval runs/first --split test\n  \
                        mga eval experiments/mga/soybean_2_1.toml --weights model.safetensors --out runs/check --logits")]
pub struct Args {
    /// A run folder, or an experiment file.
    run: PathBuf,
    /// A weight file; left out: the run's best checkpoint, else its last, else the experiment's weights.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Which images.
    #[arg(long, default_value = "test", value_parser = ["train", "validation", "test"])]
    split: String,
    /// Set a key of the experiment. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A folder for predictions.csv, confusion.csv and evaluation.json.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Also write logits.safetensors there.
    #[arg(long, requires = "out")]
    logits: bool,
}

/// Evaluates.
///
/// # Errors
/// A wrong experiment, data or weights.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let interrupt = signals::listen()?;
    if let Some(out) = args.out.as_ref().filter(|out| RunFolder::at(out).holds_run()) {
        anyhow::bail!(
            "{}: there is a run in this folder, whose own predictions.csv and confusion.csv would be replaced; name another \
             folder with --out",
            out.display()
        );
    }
    let mut loaded = load_run(&args.run, &args.set, components)?;
    assemble::use_threads(loaded.experiment.threads);
    // Before the work, not after it.
    let out = args.out.as_ref().map(RunFolder::at);
    out.as_ref().map(RunFolder::make).transpose()?;
    let found = weights_of(&args.run, args.weights.as_deref());
    let weights = match &found {
        Some((path, true)) => Weights::Checkpoint(path),
        Some((path, false)) => Weights::File(path),
        None => Weights::Named,
    };
    let EvaluatedSplit { outcome, skipped } =
        evaluate(&mut loaded, components, weights, &args.split, &interrupt, &|line| say!("{line}"))?;
    let json = outcome.line(&args.split, None);
    if let Some(folder) = &out {
        outcome.write(folder)?;
        folder.write_json("evaluation.json", &json)?;
        if args.logits {
            outcome.write_logits(folder)?;
        }
    }
    for skipped in skipped {
        say!("skipped: {skipped}");
    }
    Ok(print(serde_json::to_string_pretty(&json)? + "\n")?)
}

/// Returns the weights to use, and whether they are a checkpoint of that very run.
pub fn weights_of(run: &std::path::Path, given: Option<&std::path::Path>) -> Option<(PathBuf, bool)> {
    if let Some(path) = given {
        return Some((path.to_path_buf(), false));
    }
    let folder = RunFolder::at(run);
    [folder.best(), folder.last()].into_iter().find(|path| run.is_dir() && path.is_file()).map(|path| (path, true))
}
