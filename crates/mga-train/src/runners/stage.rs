//! Training one stage into its folder, from the start or from where it stopped. A run without stages is one.

use std::sync::Arc;

use anyhow::Context;
use mga_data::Share;
use mga_experiment::{
    Components, EXPERIMENT, Experiment, Loaded, Metrics, PREVIOUS, SelectOn, StageWork, experiment_schema,
};
use serde_json::Value;

use super::finish::{Around, Finished, finish};
use super::finite::Reading;
use super::training::{self, Training};
use crate::TaskComponents;
use crate::assemble;
use crate::checkpoint::{self, Progress};
use crate::environment::Environment;
use crate::file_hashes::FileHashes;
use crate::folder_lock::FolderLock;
use crate::identity::{self, Identity, Resumed, weights_hash};
use crate::interrupt::{Interrupt, Interrupted};
use crate::loaders;
use crate::looked::Looked;
use crate::mask_files::LOOKED_AT;
use crate::metrics_log::MetricsLog;
use crate::progress::Listener;
use crate::run_folder::RunFolder;
use crate::tasks::{Job, Previous, Purpose};
use crate::torn_groups::TornGroups;
use crate::trackers::{TrackedRun, Tracking};
use crate::world::World;

/// A run that was trained to its end.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The folder of the run.
    pub folder: RunFolder,
    /// The result, for people.
    pub text: String,
}

/// What every stage is trained with.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) components: &'a Components,
    pub(super) voice: &'a dyn Listener,
    pub(super) interrupt: &'a Interrupt,
    pub(super) world: &'a dyn World,
}

/// What a stage begins with.
pub(super) struct Begun<'a> {
    /// Its folder.
    pub(super) folder: &'a RunFolder,
    /// Whether it goes on.
    pub(super) resume: bool,
    /// Of a folder that was made and is locked already.
    pub(super) lock: Option<FolderLock>,
    /// What the stage before left.
    pub(super) previous: Option<&'a Previous>,
    /// Of the last of several stages, what its folder holds of all of them.
    pub(super) whole: Option<Whole<'a>>,
}

/// What the folder of a run holds of all its stages.
#[derive(Clone, Copy)]
pub(super) struct Whole<'a> {
    /// `experiment.toml`.
    pub(super) experiment: &'a str,
    /// `stages` of `summary.json`, without the last.
    pub(super) stages: &'a [Value],
}

/// Trains one stage into its folder, or goes on with it.
pub(super) fn train_stage(loaded: &mut Loaded, at: At<'_>, begun: Begun<'_>) -> anyhow::Result<Trained> {
    let At { components, voice, interrupt, world } = at;
    let Begun { folder, resume, lock, previous, whole } = begun;
    let (made, writes) = (lock.is_some(), world.rank() == 0);
    // Held until the run ends: two processes would write over each other.
    let mut lock = if resume && writes && !made { Some(folder.lock()?) } else { lock };
    assemble::settle_mask_weights(loaded, components)?;
    let device = assemble::device(loaded)?;
    let task = components.task_of(&loaded.experiment)?;
    let data = task.open(loaded, components, Purpose::Train(TornGroups::of_run(folder)))?;
    if !resume {
        data.check_complete(loaded)?;
    }
    // A checkpoint holds all that the first weights gave, and they may be gone.
    let weights = if resume && folder.last().is_file() { None } else { assemble::settle_weights(loaded, components)? };
    let loaded = &*loaded;
    let experiment = &loaded.experiment;
    let fits = loaded.work == StageWork::Fit;
    let job = data.build(loaded, components, &device, true)?;
    let say = |line: &str| voice.say(line);
    // Before any weights: what is taken depends on the stage before alone, whether this one begins or goes on.
    if let Some(previous) = previous {
        job.take_up(previous)?.iter().for_each(|note| say(note));
    }
    if let Some(weights) = &weights {
        say(&assemble::load_weights(loaded, job.as_ref(), weights)?);
        job.weights_notes(weights).iter().for_each(|note| say(note));
    }
    if let Some(previous) = previous.filter(|_| takes_weights(experiment, folder, resume)) {
        job.take_weights(previous)?.iter().for_each(|note| say(note));
    }
    let before = previous.map(|previous| previous.id.as_str());
    let (hashes, schema) = (FileHashes::of_user(), experiment_schema(components));
    let (fingerprint, contents) = data.fingerprint(&hashes, voice)?;
    let resumed = match resume {
        true => Identity::check_resumed(folder, loaded, &schema, &fingerprint, weights.as_ref(), &hashes, before)?,
        false => Resumed::AsBegun,
    };
    if !resume {
        job.rehearse()?;
    }
    if !resume && fits {
        training::stores(experiment, &loaded.kinds, job.as_ref())?;
    }
    let tracking = if writes { Tracking::of(loaded, components, voice)? } else { Tracking::none(voice) };
    let to_train = fits.then(|| loaders::to_train(loaded, job.as_ref(), data.as_ref())).transpose()?;
    let to_train = to_train.map(|loader| loader.with_share(Share { rank: world.rank(), size: world.size() }));
    data.verify(loaded, &contents, voice, interrupt)?;
    // A run that began has been looked at. After all that cannot be read was told at once.
    let looked = if resume { Looked::default() } else { data.look(loaded, LOOKED_AT)? };
    // Before anything is written, every rank has found what it needs.
    world.barrier()?;
    if !writes {
        // Rank 0 writes.
    } else if resume {
        resumed.write(folder, voice)?;
    } else {
        let files = data.files()?;
        let weights = weights_hash(experiment, weights.as_ref(), &hashes)?;
        let identity = Identity::new(experiment, &schema, &fingerprint, &weights, before)?;
        if made {
            folder.make_all()?;
        } else {
            folder.create()?;
            lock = Some(folder.lock()?);
        }
        folder.write_json("environment.json", &Environment::here(&device))?;
        files.iter().try_for_each(|(name, content)| folder.write_json(name, content))?;
        // These last: where they are, the run can be resumed and lacks nothing.
        folder.write_json(identity::FILE, &identity)?;
        match whole {
            Some(whole) => folder.write(EXPERIMENT, whole.experiment)?,
            None => folder.write(EXPERIMENT, experiment.resolved_toml()?)?,
        }
    }
    if writes {
        folder.remove_temporary()?;
    }
    data.notes().iter().chain(&looked.notes).for_each(|warning| say(&format!("warning: {warning}")));
    let splits = data.splits();
    let stage = experiment.stage().map(|stage| format!("stage {stage}: ")).unwrap_or_default();
    say(&format!(
        "{stage}{}: {} {}, {} training, {} validation and {} test images; {} on {}; into {}",
        experiment.data.dataset,
        data.classes().len(),
        data.classes_of(),
        splits.train.len(),
        splits.validation.len(),
        splits.test.len(),
        experiment.model.backbone,
        assemble::device_name(&device),
        folder.path().display()
    ));
    if fits && writes {
        job.begin(folder, interrupt)?.iter().for_each(|line| say(line));
    }
    world.barrier()?;
    let loader = |indices: &[usize], train| loaders::of_source(loaded, data.source(train), indices.to_vec(), train);
    let identity = identity::begun_as(folder, experiment, &schema)?;
    let outcome = match to_train {
        Some(to_train) => {
            let select = match experiment.eval.select_on {
                SelectOn::Test => Some(("test", loader(&splits.test, false)?)),
                _ if splits.validation.is_empty() => None,
                _ => Some(("validation", loader(&splits.validation, false)?)),
            };
            let training = Training {
                experiment,
                kinds: &loaded.kinds,
                learner: job.as_ref(),
                train: to_train,
                select,
                masks: Arc::clone(data.masks()),
                folder: folder.clone(),
                interrupt: interrupt.clone(),
                report: voice.run(experiment, loaded.kinds.get::<Metrics>(&experiment.eval.metric)),
                voice,
                tracking: &tracking,
                identity,
                reading: Reading::on(&device, world),
                world,
            };
            training.run(resume).map(|progress| (progress, None))
        }
        None => apply(loaded, job.as_ref(), at, folder, identity, &tracking),
    };
    let outcome = outcome.and_then(|(progress, mut log)| {
        let run = Finished { loaded, job: job.as_ref(), data: data.as_ref(), folder, progress: &progress };
        closed(&run, whole, &Around { voice, interrupt, world, tracking: &tracking }, &mut log)
    });
    tracking.ends(&outcome);
    drop(lock);
    Ok(Trained { folder: folder.clone(), text: outcome? })
}

/// Evaluates what was trained, and says what came of it.
fn closed(
    run: &Finished<'_>,
    whole: Option<Whole<'_>>,
    around: &Around<'_>,
    log: &mut Option<MetricsLog>,
) -> anyhow::Result<String> {
    run.data.masks().warnings().iter().for_each(|warning| around.voice.say(&format!("warning: {warning}")));
    finish(run, whole.map(|whole| whole.stages), around, log).map_err(|error| {
        if !error.is::<Interrupted>() {
            return error;
        }
        let folder = run.folder.path().display();
        Interrupted(format!(
            "interrupted while evaluating the trained model; evaluate it again with: mga train --resume {folder}"
        ))
        .into()
    })
}

/// Whether a stage starts from the weights that the one before left: unless it has a checkpoint or names others.
fn takes_weights(experiment: &Experiment, folder: &RunFolder, resume: bool) -> bool {
    experiment.model.weights == PREVIOUS && !(resume && folder.last().is_file())
}

/// What is done in a stage that trains nothing: its model is kept as a checkpoint, so that it can be evaluated again, and
/// what it extracts is computed and written, unless that was done. Gives its log, which has no line yet.
fn apply(
    loaded: &Loaded,
    job: &dyn Job,
    at: At<'_>,
    folder: &RunFolder,
    experiment: String,
    tracking: &Tracking<'_>,
) -> anyhow::Result<(Progress, Option<MetricsLog>)> {
    let progress = Progress { experiment, ..Progress::default() };
    if folder.last().is_file() {
        let kept = checkpoint::load_job(&folder.last(), job, None)?.progress;
        anyhow::ensure!(
            kept.experiment == progress.experiment,
            "{}: was saved by another experiment than the folder's; nothing was changed",
            folder.last().display()
        );
    } else {
        checkpoint::save_job(&folder.last(), job, None, &progress).context("saving the model")?;
    }
    let (log, text) = MetricsLog::open(&folder.metrics(), 0)?;
    tracking.begins(&TrackedRun { experiment: &loaded.experiment, folder, log: &text });
    if loaded.work == StageWork::Extract && !folder.features().is_file() {
        let extracted = job.extract(at.interrupt)?;
        extracted.write(folder)?;
        at.voice.say(&format!("{} tensors are in {}", extracted.tensors.len(), folder.features().display()));
    }
    Ok((progress, Some(log)))
}
