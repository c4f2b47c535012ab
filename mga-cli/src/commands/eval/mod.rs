//! `mga eval`: a run, or an experiment with weights, on a split; or all runs of a sweep on the test images.

mod args;
mod of_export;
mod of_sweep;

use std::path::PathBuf;

use mga_experiment::Components;
use mga_train::assemble;
use mga_train::run_folder::RunFolder;
use mga_train::runners::evaluate::{EvaluatedSplit, Weights, evaluate};

pub use args::Args;

use crate::commands::train::load_run;
use crate::output::print;
use crate::signals;

/// Evaluates.
///
/// # Errors
/// A wrong experiment, data or weights.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let interrupt = signals::listen()?;
    if of_sweep::is_sweep(&args.run) {
        return of_sweep::run(&args, components, &interrupt);
    }
    if let Some(out) = args.out.as_ref().filter(|out| RunFolder::at(out).holds_run()) {
        anyhow::bail!(
            "{}: there is a run in this folder, whose own predictions.csv and confusion.csv would be replaced; name another \
             folder with --out",
            out.display()
        );
    }
    let exported = of_export::loaded(&args, components)?;
    let (mut loaded, split) = match exported {
        Some(loaded) => (loaded, "train"),
        None => (load_run(&args.run, &args.set, components)?, args.split.as_str()),
    };
    assemble::use_threads(loaded.experiment.threads);
    // Before the work, not after it.
    let out = args.out.as_ref().map(RunFolder::at);
    out.as_ref().map(RunFolder::make).transpose()?;
    let found = match &args.data {
        Some(_) => Some((args.run.clone(), false)),
        None => weights_of(&args.run, args.weights.as_deref()),
    };
    let weights = match &found {
        Some((path, true)) => Weights::Checkpoint(path),
        Some((path, false)) => Weights::File(path),
        None => Weights::Named,
    };
    let EvaluatedSplit { outcome, skipped } =
        evaluate(&mut loaded, components, weights, split, &interrupt, &|line| say!("{line}"))?;
    // All images of the folder, which is in no parts: none of them was trained on here.
    let split = if args.data.is_some() { "test" } else { split };
    let json = outcome.line(split, None);
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
