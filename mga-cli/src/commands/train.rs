//! `mga train`: an experiment, from the start or from where it stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;

use super::experiment_args::ExperimentArgs;
use crate::assemble;
use crate::checkpoint::{self, Progress};
use crate::components::Components;
use crate::data_set::{self, OpenData, TornGroups};
use crate::environment::Environment;
use crate::experiment::{Loaded, Overrides, SelectOn, Task, load};
use crate::file_hashes::FileHashes;
use crate::fingerprint;
use crate::gallery;
use crate::identity::{self, Identity, Resumed, experiment_hash, weights_hash};
use crate::interrupt::Interrupt;
use crate::loaders;
use crate::mask_files::{self, LOOKED_AT, Looked};
use crate::mask_survey::{self, MaskSurvey};
use crate::progress::{Voice, percent};
use crate::rehearsal;
use crate::remembered::Remembered;
use crate::run_folder::RunFolder;
use crate::runners::class_weights::class_weights;
use crate::runners::classification::Classification;
use crate::runners::evaluation::{Evaluated, evaluate};
use crate::runners::guidance::{self, Guidance};
use crate::runners::segmentation_run;
use crate::runners::training::Training;
use crate::status::Interrupted;
use crate::verification;
use crate::weights_folder::other_classes;
use crate::weights_source::as_setting;

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
    /// Set a key of the experiment: TOML's values, else a string. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", conflicts_with = "resume")]
    set: Vec<String>,
    /// The run's folder; left out: runs/NAME-TIME.
    #[arg(long, conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Start from this weight file, run (its best checkpoint, else its last), folder of `mga weights export` or published
    /// weights, in place of the experiment's.
    #[arg(long, value_name = "FILE|RUN|NAME", conflicts_with = "resume")]
    weights: Option<PathBuf>,
    /// Go on with the run in this folder. One that is finished is evaluated again: to train it for more epochs, start a new
    /// run from it with --weights.
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Say nothing but the result.
    #[arg(long, short)]
    quiet: bool,
    /// For machines: one JSON object a line on standard output, for each step, epoch and the result.
    #[arg(long)]
    json: bool,
}

/// Trains.
///
/// # Errors
/// A wrong experiment, data or weights; a loss that is not finite; a signal.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let interrupt = Interrupt::listen()?;
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
            let overrides = Overrides { weights_read: folder.last().is_file(), ..Overrides::default() };
            (load(&file, &overrides, components)?, folder, true)
        }
        (None, Some(experiment)) => {
            let mut set = args.set.clone();
            if let Some(weights) = &args.weights {
                set.push(format!("model.weights={}", as_setting(weights)));
            }
            let loaded = ExperimentArgs { experiment: experiment.clone(), set }.load(components)?;
            let folder = args.out.clone().unwrap_or_else(|| default_folder(experiment));
            (loaded, RunFolder::at(folder), false)
        }
        (None, None) => anyhow::bail!("name an experiment file, or a run with --resume"),
    };
    let voice = Voice { quiet: args.quiet, json: args.json };
    if resume && folder.summary().is_file() {
        voice.say(&finished(&folder));
    }
    // Held until the run ends: two processes would write over each other.
    let mut lock = if resume { Some(folder.lock()?) } else { None };
    assemble::use_threads(loaded.experiment.threads);
    assemble::settle_mask_weights(&mut loaded, components)?;
    if loaded.experiment.task == Task::Segmentation {
        return segmentation_run::train(&mut loaded, components, &folder, resume, voice, &interrupt);
    }
    let device = assemble::device(&loaded)?;
    let data = data_set::open(&loaded, components, TornGroups::of_run(&folder))?;
    if !resume {
        mask_files::all_there(&loaded, &data)?;
    }
    // A checkpoint holds all that the first weights gave, and they may be gone.
    let weights =
        if resume && folder.last().is_file() { None } else { assemble::settle_weights(&mut loaded, components)? };
    let experiment = &loaded.experiment;
    let classes = data.dataset.classes().to_vec();
    let class_weights = class_weights(&loaded, &classes, || Ok(data.training_counts()))?;
    let model = assemble::fresh_model(&loaded, components, classes.len(), &device)?;
    let say = |line: &str| voice.say(line);
    if let Some(weights) = &weights {
        say(&assemble::load_weights(&loaded, components, &model, weights)?);
        other_classes(weights, &classes).iter().for_each(|note| say(note));
    }
    if !resume {
        rehearsal::classifier(&loaded, components, &data, &model)?;
    }
    let resolved = experiment.resolved_toml()?;
    let hashes = FileHashes::of_user();
    let (fingerprint, contents) = fingerprint::with_contents(&data, &hashes)?;
    let resumed = match resume {
        true => Identity::check_resumed(&folder, experiment, &fingerprint, weights.as_ref(), &hashes)?,
        false => Resumed::AsBegun,
    };
    let whole = Remembered::of_user("whole-images", &verification::decoding_settings(experiment));
    verification::verify(experiment, &data, &contents, &whole, voice, &interrupt)?;
    // A run that began has been looked at. After all that cannot be read was told at once.
    let looked = if resume { Looked::default() } else { mask_files::look(&loaded, &data, LOOKED_AT)? };
    if resume {
        resumed.write(&folder, voice)?;
    } else {
        let identity = Identity::new(experiment, &fingerprint, &weights_hash(weights.as_ref(), &hashes)?)?;
        folder.create()?;
        lock = Some(folder.lock()?);
        folder.write_json("environment.json", &Environment::here(&device))?;
        folder.write_json(identity::FILE, &identity)?;
        // The experiment last: where it is, the run can be resumed and lacks nothing.
        folder.write("experiment.toml", &resolved)?;
    }
    folder.remove_temporary()?;
    data.notes().iter().chain(&looked.notes).for_each(|warning| say(&format!("warning: {warning}")));
    say(&format!(
        "{}: {} classes, {} training, {} validation and {} test images; {} on {}; into {}",
        experiment.data.dataset,
        classes.len(),
        data.splits.train.len(),
        data.splits.validation.len(),
        data.splits.test.len(),
        experiment.model.backbone,
        assemble::device_name(&device),
        folder.path().display()
    ));
    mask_survey::write(&loaded, &model, &data, &folder, &interrupt)?.iter().for_each(|line| say(line));
    let select = match experiment.eval.select_on {
        SelectOn::Test => Some(("test", loaders::evaluation(&loaded, &data, &data.splits.test)?)),
        _ if !data.splits.validation.is_empty() => {
            Some(("validation", loaders::evaluation(&loaded, &data, &data.splits.validation)?))
        }
        _ => None,
    };
    let training = Training {
        experiment,
        learner: &Classification { experiment, model: &model, classes: classes.clone(), class_weights },
        train: loaders::training(&loaded, &data)?,
        select,
        masks: Arc::clone(&data.masks),
        folder: folder.clone(),
        interrupt: interrupt.clone(),
        report: voice.report(experiment),
        voice,
        identity: experiment_hash(experiment)?,
    };
    let progress = training.run(resume)?;
    data.masks.warnings().iter().for_each(|warning| say(&format!("warning: {warning}")));
    finish(&loaded, &model, &data, &folder, &progress, voice, &interrupt).map_err(|error| {
        if !error.is::<Interrupted>() {
            return error;
        }
        let folder = folder.path().display();
        Interrupted(format!(
            "interrupted while evaluating the trained model; evaluate it again with: mga train --resume {folder}"
        ))
        .into()
    })?;
    drop(lock);
    Ok(())
}

/// Evaluates test on the last and on the selected checkpoint, writes everything, and says what came of it.
fn finish(
    loaded: &Loaded,
    model: &mga_models::MgaModel,
    data: &OpenData,
    folder: &RunFolder,
    progress: &Progress,
    voice: Voice,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let classes = data.dataset.classes();
    let experiment = &loaded.experiment;
    let mut skipped = progress.skipped.clone();
    let (split, indices) =
        if data.splits.test.is_empty() { ("validation", &data.splits.validation) } else { ("test", &data.splits.test) };
    let has_best = experiment.eval.select_on != SelectOn::Last && folder.best().is_file();
    let test = |which: &std::path::Path, skipped: &mut Vec<String>| -> anyhow::Result<Option<Evaluated>> {
        if indices.is_empty() {
            return Ok(None);
        }
        checkpoint::load(which, model, None)?;
        let loader = loaders::evaluation(loaded, data, indices)?;
        let result = evaluate(model, &loader, classes, interrupt, |_| ())?;
        skipped.extend(loader.skipped());
        Ok(Some(result))
    };
    let last = test(&folder.last(), &mut skipped)?;
    let selected = if has_best { test(&folder.best(), &mut skipped)? } else { None };
    let reported = selected.as_ref().or(last.as_ref());
    if let Some(result) = reported {
        result.notes(split).iter().for_each(|note| voice.say(&format!("warning: {note}")));
        result.write(folder, classes)?;
        gallery::write(loaded, model, data, indices, folder)?;
    }
    if let Some(reference) = &data.reference {
        reference.warnings().iter().for_each(|line| voice.say(&format!("warning: reference masks: {line}")));
    }
    // The model is the reported checkpoint now; of a run without images to evaluate, the last.
    if reported.is_none() {
        checkpoint::load(&folder.last(), model, None)?;
    }
    let start = MaskSurvey::of_run(folder)?.and_then(|survey| survey.start);
    let end = if start.is_some() { guidance::measured(loaded, model, data, interrupt)? } else { None };
    let guidance = start.zip(end).map(|(start, end)| Guidance { start, end });
    skipped.sort();
    skipped.dedup();
    let best_epoch = progress.best_epoch;
    folder.write_json(
        "summary.json",
        &serde_json::json!({
            "status": "finished",
            "split": split,
            "select_on": experiment.eval.select_on,
            "selected_on_test": experiment.eval.select_on == SelectOn::Test,
            "epochs": progress.epoch,
            "steps": progress.step,
            "stopped_early": progress.stopped_early,
            "best_epoch": best_epoch,
            "best_score": progress.best,
            "selected": selected.as_ref().map(|result| result.to_json(split, best_epoch)),
            "last": last.as_ref().map(|result| result.to_json(split, Some(progress.epoch.saturating_sub(1)))),
            "classes": classes.len(),
            "train_images": data.splits.train.len(),
            "validation_images": data.splits.validation.len(),
            "test_images": data.splits.test.len(),
            "masks": data.masks.counts(),
            "guidance": guidance,
            "skipped": skipped,
            "training_seconds": progress.seconds,
            "test_images_replaced": Identity::was_evaluated_again(folder)?,
        }),
    )?;
    let mut text = String::new();
    if !skipped.is_empty() {
        text += &format!("{} images were skipped (see summary.json)\n", skipped.len());
    }
    if let Some(result) = reported {
        let chosen = match (has_best, best_epoch) {
            (true, Some(epoch)) => format!(
                "epoch {} (best on {})",
                epoch + 1,
                if experiment.eval.select_on == SelectOn::Test { "TEST, which flatters" } else { "validation" }
            ),
            _ => "the last epoch".to_owned(),
        };
        if result.unlabelled > 0 {
            text += &format!("\n{split}: {} images have no label: predicted, not scored", result.unlabelled);
        }
        text += &format!(
            "\n{split}: {} images, {chosen}\n  top-1 accuracy     {}   (chance {})\n  balanced accuracy  {}\n",
            result.classes.images,
            percent(result.classes.top1),
            percent(Some(1.0 / classes.len() as f64)),
            percent(result.classes.balanced_accuracy),
        );
        text += &result.masks.lines();
    }
    if let Some(sentence) = guidance.as_ref().and_then(Guidance::sentence) {
        text += &format!("  guidance           {sentence}\n");
    }
    text += &format!("run: {}\npictures: {}\n", folder.path().display(), folder.pictures().display());
    voice.result(text, folder)
}

/// What is done with a run that is finished already, and how it is trained for longer.
fn finished(folder: &RunFolder) -> String {
    let folder = folder.path().display();
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

/// What a command that reads a run or an experiment needs: the folder's resolved experiment, or the file's.
pub fn load_run(path: &Path, set: &[String], components: &Components) -> anyhow::Result<Loaded> {
    let file = if path.is_dir() { RunFolder::at(path).experiment() } else { path.to_path_buf() };
    if path.is_dir() && !file.is_file() {
        anyhow::bail!("{}: not a run folder: there is no experiment.toml", path.display());
    }
    let overrides = if path.is_dir() {
        let folder = RunFolder::at(path);
        let weights_read = folder.best().is_file() || folder.last().is_file();
        Overrides { set: set.to_vec(), weights_read, ..Overrides::default() }
    } else {
        Overrides::from_process(set.to_vec())
    };
    load(&file, &overrides, components).context("reading the experiment")
}
