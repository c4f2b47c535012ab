//! `mga train`: an experiment, from the start or from where it stopped.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use mga_experiment::{Components, Loaded, Overrides, load};
use mga_train::assemble;
use mga_train::progress::Listener;
use mga_train::run_folder::RunFolder;
use mga_train::runners::train::train;
use mga_train::weights_source::as_setting;

use super::experiment_args::ExperimentArgs;
use crate::progress::Voice;
use crate::signals;

/// Train an experiment.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  mga train experiments/quickstart.toml --set schedule.epochs=5 --out runs/first\n  \
                        mga train --resume runs/first\n  \
                        mga train runs/first/experiment.toml --weights runs/first --set schedule.epochs=20 --out runs/more\n  \
                        mga train experiments/quickstart.toml --json | jq 'select(.kind == \"epoch\")'"
)]
pub struct Args {
    /// The experiment file (TOML).
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    experiment: Option<PathBuf>,
    /// Set a key of the experiment to a TOML value, or else a string. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", conflicts_with = "resume")]
    set: Vec<String>,
    /// The run's folder; left out: runs/NAME-TIME.
    #[arg(long, conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Keep the stages before the last in this folder, under their identities, and take those that are finished there: runs
    /// that have equal stages share them, as those of a sweep do. Left out: in the run's folder, in `stages`.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    stages: Option<PathBuf>,
    /// Start from these weights instead of the experiment's: a weight file, a run (its best checkpoint, else its last),
    /// a folder of `mga weights export`, or published weights.
    #[arg(long, value_name = "FILE|RUN|NAME", conflicts_with = "resume")]
    weights: Option<PathBuf>,
    /// Resume the run in this folder. A finished run is evaluated again; to train it for more epochs, start a new run
    /// from it with --weights.
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Print only the result.
    #[arg(long, short)]
    quiet: bool,
    /// Print one JSON object per line on standard output, for each step, each epoch and the result.
    #[arg(long)]
    json: bool,
}

/// Trains.
///
/// # Errors
/// A wrong experiment, data or weights; a loss that is not finite; a signal.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let interrupt = signals::listen()?;
    let (mut loaded, folder, resume) = match (&args.resume, &args.experiment) {
        (Some(folder), _) => {
            let folder = RunFolder::at(folder);
            let file = folder.experiment();
            anyhow::ensure!(
                file.is_file(),
                "{}: no run to resume: there is no experiment.toml",
                folder.path().display()
            );
            // The folder's experiment is complete: no environment variable may change a run half-way.
            let overrides = Overrides { weights_read: folder.has_read_weights(), ..Overrides::default() };
            (load(&file, &overrides, components)?, folder, true)
        }
        (None, Some(experiment)) => {
            let mut set = args.set.clone();
            if let Some(weights) = &args.weights {
                set.push(format!("model.weights={}", as_setting(weights)));
            }
            let loaded = ExperimentArgs { experiment: experiment.clone(), set }.load(components)?;
            let folder = args.out.clone().unwrap_or_else(|| default_folder(experiment));
            let folder = RunFolder::at(folder);
            let folder = args.stages.iter().fold(folder, |folder, stages| folder.with_shared_stages(stages));
            (loaded, folder, false)
        }
        (None, None) => anyhow::bail!("name an experiment file, or a run with --resume"),
    };
    let voice = Voice { quiet: args.quiet, json: args.json };
    if resume && folder.summary().is_file() {
        voice.say(&finished(&folder));
    }
    assemble::use_threads(loaded.experiment.threads);
    let trained = train(&mut loaded, components, &folder, resume, &voice, &interrupt)?;
    voice.result(&trained)
}

/// What is done with a run that is finished already, and how it is trained for longer.
fn finished(folder: &RunFolder) -> String {
    let staged = folder.stages().is_file();
    let folder = folder.path().display();
    if staged {
        return format!(
            "{folder}: this run is finished; it is evaluated again. To train a stage for more epochs, start another run of \
             {folder}/experiment.toml with stages.NAME.schedule.epochs and --out FOLDER"
        );
    }
    format!(
        "{folder}: this run is finished; it is evaluated again. To train it for more epochs, start another from it: mga train \
         {folder}/experiment.toml --weights {folder} --set schedule.epochs=N --out FOLDER"
    )
}

fn default_folder(experiment: &Path) -> PathBuf {
    let name = experiment.file_stem().map_or_else(|| "run".into(), |stem| stem.to_string_lossy().into_owned());
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    PathBuf::from("runs").join(format!("{name}-{seconds}"))
}

/// Reads the experiment of a command that takes a run or an experiment: the resolved experiment of the folder, or that
/// of the file.
pub fn load_run(path: &Path, set: &[String], components: &Components) -> anyhow::Result<Loaded> {
    let file = if path.is_dir() { RunFolder::at(path).experiment() } else { path.to_path_buf() };
    if path.is_dir() && !file.is_file() {
        anyhow::bail!("{}: not a run folder: there is no experiment.toml", path.display());
    }
    let overrides = if path.is_dir() {
        let folder = RunFolder::at(path);
        Overrides { set: set.to_vec(), weights_read: folder.has_read_weights(), ..Overrides::default() }
    } else {
        Overrides::from_process(set.to_vec())
    };
    load(&file, &overrides, components).context("reading the experiment")
}
