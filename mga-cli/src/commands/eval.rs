//! `mga eval`: a run, or an experiment with weights, on a split.

use std::path::PathBuf;

use crate::assemble;
use crate::checkpoint;
use crate::commands::train::load_run;
use crate::components::Components;
use crate::data_set;
use crate::experiment::Task;
use crate::interrupt::Interrupt;
use crate::loaders;
use crate::output::print;
use crate::run_folder::RunFolder;
use crate::runners::evaluation::evaluate;
use crate::runners::segmentation_run;
use crate::weights_source;

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
    let interrupt = Interrupt::listen()?;
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
    if loaded.experiment.task == Task::Segmentation {
        let weights = weights_of(&args.run, args.weights.as_deref()).map(|(path, _)| path);
        let out = args.out.as_deref();
        anyhow::ensure!(
            !args.logits,
            "--logits is for classifiers; `mga masks` writes what a segmenter says of each pixel"
        );
        let line = segmentation_run::evaluate_split(
            &mut loaded,
            components,
            weights.as_deref(),
            &args.split,
            out,
            &interrupt,
        )?;
        return Ok(print(serde_json::to_string_pretty(&line)? + "\n")?);
    }
    let device = assemble::device(&loaded)?;
    let data = data_set::open_to_evaluate(&loaded, components)?;
    data.notes().iter().for_each(|note| say!("note: {note}"));
    let classes = data.dataset.classes();
    let model = assemble::fresh_model(&loaded, components, classes.len(), &device)?;
    match weights_of(&args.run, args.weights.as_deref()) {
        Some((path, true)) => {
            let restored = checkpoint::load(&path, &model, None)?;
            restored.note.iter().for_each(|note| say!("note: {note}"));
        }
        Some((path, false)) => {
            let found = weights_source::of_file(&path)?;
            assemble::normalise_as(&mut loaded, &found);
            let report = assemble::load_file(&loaded, components, &model, &found.path)?;
            anyhow::ensure!(
                report.reinitialised.is_empty(),
                "{}: what it lacks would be drawn at random, so there is nothing to evaluate; train it with `mga train \
                 --weights`\n{report}",
                found.path.display()
            );
            say!("{report}");
        }
        None => match assemble::settle_weights(&mut loaded, components)? {
            Some(weights) => say!("{}", assemble::load_weights(&loaded, components, &model, &weights)?),
            None => anyhow::bail!("no weights to evaluate: name a file with --weights, or a run folder"),
        },
    }
    let indices = match args.split.as_str() {
        "train" => &data.splits.train,
        "validation" => &data.splits.validation,
        _ => &data.splits.test,
    };
    anyhow::ensure!(!indices.is_empty(), "the data set has no {} images", args.split);
    let loader = loaders::evaluation(&loaded, &data, indices)?;
    let result = evaluate(&model, &loader, classes, &interrupt, |_| ())?;
    result.notes(&args.split).iter().for_each(|note| say!("note: {note}"));
    if result.unlabelled > 0 {
        say!(
            "note: {} of {} images have no label; they are predicted and not scored",
            result.unlabelled,
            indices.len()
        );
    }
    let json = result.to_json(&args.split, None);
    if let Some(folder) = &out {
        result.write(folder, classes)?;
        folder.write_json("evaluation.json", &json)?;
        if args.logits {
            result.write_logits(folder, classes.len())?;
        }
    }
    for warning in data.reference.iter().flat_map(|reference| reference.warnings()) {
        say!("warning: reference masks: {warning}");
    }
    for skipped in loader.skipped() {
        say!("skipped: {skipped}");
    }
    Ok(print(serde_json::to_string_pretty(&json)? + "\n")?)
}

/// The weights to use, and whether they are a checkpoint of that very run.
pub fn weights_of(run: &std::path::Path, given: Option<&std::path::Path>) -> Option<(PathBuf, bool)> {
    if let Some(path) = given {
        return Some((path.to_path_buf(), false));
    }
    let folder = RunFolder::at(run);
    [folder.best(), folder.last()].into_iter().find(|path| run.is_dir() && path.is_file()).map(|path| (path, true))
}
