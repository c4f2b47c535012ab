//! Training an experiment into a run's folder, from the start or from where it stopped.

use std::sync::Arc;

use mga_data::Share;
use mga_experiment::{Components, Loaded, Metrics, SelectOn, experiment_schema};

use super::finish::{Around, finish};
use super::finite::Reading;
use super::training::{self, Training};
use crate::TaskComponents;
use crate::assemble;
use crate::checkpoint::Progress;
use crate::environment::Environment;
use crate::file_hashes::FileHashes;
use crate::identity::{self, Identity, Resumed, weights_hash};
use crate::interrupt::{Interrupt, Interrupted};
use crate::loaders;
use crate::looked::Looked;
use crate::mask_files::LOOKED_AT;
use crate::progress::{Listener, Silent};
use crate::run_folder::RunFolder;
use crate::tasks::{Job, Purpose, TaskData};
use crate::torn_groups::TornGroups;
use crate::trackers::Tracking;
use crate::world::{Alone, World};

/// A run that was trained to its end.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The folder of the run.
    pub folder: RunFolder,
    /// The result, for people.
    pub text: String,
}

/// Trains an experiment into `folder`; with `resume`, goes on with the run that is there. The weights that the experiment
/// names are settled in it.
///
/// # Errors
/// A wrong experiment, data or weights; a loss that is not finite; a signal.
pub fn train(
    loaded: &mut Loaded,
    components: &Components,
    folder: &RunFolder,
    resume: bool,
    voice: &dyn Listener,
    interrupt: &Interrupt,
) -> anyhow::Result<Trained> {
    train_in(&Alone, loaded, components, folder, resume, voice, interrupt)
}

/// Trains as [`train`] does, together with the other ranks of `world`, which call it with the same experiment and folder.
/// Rank 0 alone writes, and says what there is to say.
///
/// # Errors
/// As of [`train`]; a rank that ended. The other ranks end too.
pub fn train_in(
    world: &dyn World,
    loaded: &mut Loaded,
    components: &Components,
    folder: &RunFolder,
    resume: bool,
    voice: &dyn Listener,
    interrupt: &Interrupt,
) -> anyhow::Result<Trained> {
    let voice = if world.rank() == 0 { voice } else { &Silent };
    let trained = of_rank(world, loaded, components, folder, resume, voice, interrupt);
    trained.inspect_err(|error| world.abort(&format!("rank {} ended: {error:#}", world.rank())))
}

fn of_rank(
    world: &dyn World,
    loaded: &mut Loaded,
    components: &Components,
    folder: &RunFolder,
    resume: bool,
    voice: &dyn Listener,
    interrupt: &Interrupt,
) -> anyhow::Result<Trained> {
    let writes = world.rank() == 0;
    // Held until the run ends: two processes would write over each other.
    let mut lock = if resume && writes { Some(folder.lock()?) } else { None };
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
    let job = data.build(loaded, components, &device, true)?;
    let say = |line: &str| voice.say(line);
    if let Some(weights) = &weights {
        say(&assemble::load_weights(loaded, job.as_ref(), weights)?);
        job.weights_notes(weights).iter().for_each(|note| say(note));
    }
    let resolved = experiment.resolved_toml()?;
    let (hashes, schema) = (FileHashes::of_user(), experiment_schema(components));
    let (fingerprint, contents) = data.fingerprint(&hashes, voice)?;
    let resumed = match resume {
        true => Identity::check_resumed(folder, experiment, &schema, &fingerprint, weights.as_ref(), &hashes)?,
        false => Resumed::AsBegun,
    };
    if !resume {
        job.rehearse()?;
        training::stores(experiment, &loaded.kinds, job.as_ref())?;
    }
    let tracking = if writes { Tracking::of(loaded, components, voice)? } else { Tracking::none(voice) };
    let to_train = loaders::to_train(loaded, job.as_ref(), data.as_ref())?;
    let to_train = to_train.with_share(Share { rank: world.rank(), size: world.size() });
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
        let identity = Identity::new(experiment, &schema, &fingerprint, &weights_hash(weights.as_ref(), &hashes)?)?;
        folder.create()?;
        lock = Some(folder.lock()?);
        folder.write_json("environment.json", &Environment::here(&device))?;
        folder.write_json(identity::FILE, &identity)?;
        files.iter().try_for_each(|(name, content)| folder.write_json(name, content))?;
        // The experiment last: where it is, the run can be resumed and lacks nothing.
        folder.write("experiment.toml", &resolved)?;
    }
    if writes {
        folder.remove_temporary()?;
    }
    data.notes().iter().chain(&looked.notes).for_each(|warning| say(&format!("warning: {warning}")));
    let splits = data.splits();
    say(&format!(
        "{}: {} {}, {} training, {} validation and {} test images; {} on {}; into {}",
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
    if writes {
        job.begin(folder, interrupt)?.iter().for_each(|line| say(line));
    }
    world.barrier()?;
    let loader = |indices: &[usize], train| loaders::of_source(loaded, data.source(train), indices.to_vec(), train);
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
        identity: identity::begun_as(folder, experiment, &schema)?,
        reading: Reading::on(&device, world),
        world,
    };
    let around = &Around { voice, interrupt, world };
    let outcome = training
        .run(resume)
        .and_then(|progress| closed(loaded, job.as_ref(), data.as_ref(), folder, &progress, around));
    tracking.ends(&outcome);
    drop(lock);
    Ok(Trained { folder: folder.clone(), text: outcome? })
}

/// Evaluates what was trained, and says what came of it.
fn closed(
    loaded: &Loaded,
    job: &dyn Job,
    data: &dyn TaskData,
    folder: &RunFolder,
    progress: &Progress,
    around: &Around<'_>,
) -> anyhow::Result<String> {
    data.masks().warnings().iter().for_each(|warning| around.voice.say(&format!("warning: {warning}")));
    finish(loaded, job, data, folder, progress, around).map_err(|error| {
        if !error.is::<Interrupted>() {
            return error;
        }
        let folder = folder.path().display();
        Interrupted(format!(
            "interrupted while evaluating the trained model; evaluate it again with: mga train --resume {folder}"
        ))
        .into()
    })
}
