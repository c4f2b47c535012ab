//! A run of several stages: each is trained in a folder of its own and takes up what the one before left; the last is the run
//! itself. What is finished is not done again, and stages of equal identity can be shared by runs.

use std::path::{Component, Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use mga_experiment::{Components, Defaults, EXPERIMENT, Loaded, StageWork, experiment_schema};
use serde_json::Value;

use super::finish::stage_line;
use super::stage::{At, Begun, Trained, Whole, train_stage};
use super::training;
use crate::TaskComponents;
use crate::assemble;
use crate::file_hashes::FileHashes;
use crate::folder_lock::{Asked, FolderLock};
use crate::identity::{self, Identity, weights_hash};
use crate::interrupt::{Interrupt, Interrupted};
use crate::loaders;
use crate::progress::Listener;
use crate::run_folder::RunFolder;
use crate::stage_place::{Spent, StagePlace};
use crate::tasks::{Previous, Purpose};
use crate::torn_groups::TornGroups;
use crate::trackers::Tracking;

/// How often a stage that another process trains is looked at.
const LOOK: Duration = Duration::from_millis(300);

/// Trains the stages of a run into its folder, or goes on with them.
pub(super) fn train(loaded: &mut Loaded, at: At<'_>, folder: &RunFolder, resume: bool) -> anyhow::Result<Trained> {
    let mut stages = loaded.take_earlier();
    let trained = train_all(&mut stages, loaded, at, folder, resume);
    loaded.follow(stages);
    trained
}

fn train_all(
    earlier: &mut Vec<Loaded>,
    last: &mut Loaded,
    at: At<'_>,
    folder: &RunFolder,
    resume: bool,
) -> anyhow::Result<Trained> {
    let (mut places, lock, experiment) = if resume {
        let lock = folder.lock()?;
        let text = std::fs::read_to_string(folder.experiment());
        let text = text.with_context(|| format!("{}: cannot be read", folder.experiment().display()))?;
        (read_places(folder, earlier)?, lock, text)
    } else {
        let planned = identities(earlier, last, at)?;
        // The text says the stages before the last too.
        let stages = std::mem::take(earlier);
        last.follow(stages);
        let text = last.resolved(Defaults::New);
        *earlier = last.take_earlier();
        let text = text?;
        folder.create()?;
        let lock = folder.lock()?;
        let places = places(folder, earlier, &planned)?;
        folder.write_json("stages.json", &places)?;
        folder.write(EXPERIMENT, &text)?;
        (places, lock, text)
    };
    if resume && folder.last().is_file() {
        // The last stage began, so those before it were finished: they are not trained again somewhere else.
        for place in &places {
            let own = RunFolder::at(folder.path().join(&place.folder));
            anyhow::ensure!(
                own.summary().is_file(),
                "{}: stage `{}` is not there any more; put its folder back, or train anew with another --out",
                own.path().display(),
                place.name
            );
        }
    }
    let (mut previous, mut told): (Option<Previous>, Vec<Value>) = (None, Vec::new());
    for (number, stage) in earlier.iter_mut().enumerate() {
        let Some(place) = places.get_mut(number) else { continue };
        let own = RunFolder::at(folder.path().join(&place.folder));
        let before = place.spent;
        let trained = train_earlier(stage, at, &own, place, previous.as_ref());
        if place.spent != before {
            folder.write_json("stages.json", &places)?;
        }
        let Some(place) = places.get(number) else { continue };
        trained.map_err(|error| resumed_by(error, place, folder))?;
        let summary =
            std::fs::read(own.summary()).with_context(|| format!("{}: not there", own.summary().display()))?;
        told.push(stage_line(stage, &own, &serde_json::from_slice(&summary)?, &place.folder)?);
        previous = Some(Previous { stage: place.name.clone(), folder: own, id: place.id.clone() });
    }
    let resume = resume && folder.path().join(identity::FILE).is_file();
    let whole = Some(Whole { experiment: &experiment, stages: &told });
    train_stage(last, at, Begun { folder, resume, lock: Some(lock), previous: previous.as_ref(), whole })
}

/// Trains a stage before the last, or goes on with it, unless it is finished. Notes the time in its place.
fn train_earlier(
    stage: &mut Loaded,
    at: At<'_>,
    folder: &RunFolder,
    place: &mut StagePlace,
    previous: Option<&Previous>,
) -> anyhow::Result<()> {
    let shown = folder.path().display();
    std::fs::create_dir_all(folder.path()).with_context(|| format!("{shown}: cannot be made"))?;
    let lock = wait(folder, place, at.voice, at.interrupt)?;
    if folder.summary().is_file() {
        at.voice.say(&format!("stage {}: is finished, in {shown}", place.name));
    } else {
        let resume = folder.experiment().is_file();
        let begun = Instant::now();
        let trained = train_stage(stage, at, Begun { folder, resume, lock: Some(lock), previous, whole: None });
        place.spent.trained += begun.elapsed().as_secs_f64();
        trained?.text.lines().for_each(|line| at.voice.say(line));
    }
    let identity = Identity::of_run(folder.path())?;
    let found = identity.as_ref().map(|identity| identity.id.clone()).unwrap_or_default();
    // A stage that was evaluated again on repaired test images trained what it had.
    let same = identity.is_some_and(|identity| {
        identity.id == place.id || identity.replaced.iter().any(|replaced| replaced.id == place.id)
    });
    anyhow::ensure!(
        same,
        "{shown}: stage `{}` is another than this run began with: it is {found}, and was {}; train anew with another --out",
        place.name,
        place.id
    );
    Ok(())
}

/// The lock of a stage's folder. One that another process trains in is waited for: runs may share the stage.
fn wait(
    folder: &RunFolder,
    place: &mut StagePlace,
    voice: &dyn Listener,
    interrupt: &Interrupt,
) -> anyhow::Result<FolderLock> {
    let (name, mut since) = (&place.name, None::<Instant>);
    let locked = loop {
        match FolderLock::ask(folder.path())? {
            Asked::Held(lock) => break Ok(lock),
            Asked::Taken(holder) if since.is_none() => {
                voice.say(&format!("stage {name}: {holder} trains it in {}; waiting for it", folder.path().display()));
                since = Some(Instant::now());
            }
            Asked::Taken(_) => {}
        }
        if interrupt.is_raised() {
            break Err(Interrupted(format!("interrupted while stage `{name}` was waited for")).into());
        }
        sleep(LOOK);
    };
    place.spent.waited += since.map_or(0.0, |since| since.elapsed().as_secs_f64());
    locked
}

/// An interruption is resumed in the run's folder, not in the stage's.
fn resumed_by(error: anyhow::Error, place: &StagePlace, folder: &RunFolder) -> anyhow::Error {
    if !error.is::<Interrupted>() {
        return error.context(format!("stage `{}`", place.name));
    }
    let folder = folder.path().display();
    Interrupted(format!("interrupted in stage `{}`, and saved; go on with: mga train --resume {folder}", place.name))
        .into()
}

/// Settles the weights of all stages, refuses what any of them would be refused for, and gives the identities of the stages
/// before the last. Nothing is written.
fn identities(earlier: &mut [Loaded], last: &mut Loaded, at: At<'_>) -> anyhow::Result<Vec<String>> {
    let (hashes, schema, mut ids) = (FileHashes::of_user(), experiment_schema(at.components), Vec::<String>::new());
    let mut before: Option<mga_experiment::Experiment> = None;
    for stage in earlier.iter_mut().chain([last]) {
        if let Some(before) = &before {
            assemble::normalise_as_previous(stage, before);
        }
        let (before_it, follower) = (ids.last().map(String::as_str), (at.voice, at.interrupt));
        let id = identity(stage, at.components, (&hashes, &schema), before_it, follower)?;
        ids.push(id);
        before = Some(stage.experiment.clone());
    }
    ids.pop();
    Ok(ids)
}

fn identity(
    loaded: &mut Loaded,
    components: &Components,
    (hashes, schema): (&FileHashes, &Value),
    previous: Option<&str>,
    (voice, interrupt): (&dyn Listener, &Interrupt),
) -> anyhow::Result<String> {
    assemble::settle_mask_weights(loaded, components)?;
    let device = assemble::device(loaded)?;
    let task = components.task_of(&loaded.experiment)?;
    let data = task.open(loaded, components, Purpose::Train(TornGroups::Refused))?;
    data.check_complete(loaded)?;
    let weights = assemble::settle_weights(loaded, components)?;
    let loaded = &*loaded;
    let job = data.build(loaded, components, &device, true)?;
    if let Some(weights) = &weights {
        assemble::load_weights(loaded, job.as_ref(), weights)?;
    }
    job.rehearse()?;
    Tracking::of(loaded, components, voice)?;
    if loaded.work == StageWork::Fit {
        training::stores(&loaded.experiment, &loaded.kinds, job.as_ref())?;
        loaders::to_train(loaded, job.as_ref(), data.as_ref())?;
    }
    let (fingerprint, contents) = data.fingerprint(hashes, voice)?;
    data.verify(loaded, &contents, voice, interrupt)?;
    let weights = weights_hash(&loaded.experiment, weights.as_ref(), hashes)?;
    Ok(Identity::new(&loaded.experiment, schema, &fingerprint, &weights, previous)?.id)
}

/// Where the stages before the last lie: in the run's folder under their names, or shared under their identities.
fn places(folder: &RunFolder, stages: &[Loaded], ids: &[String]) -> anyhow::Result<Vec<StagePlace>> {
    let shared = folder.shared_stages().map(|shared| between(folder.path(), shared)).transpose()?;
    let place = |(stage, id): (&Loaded, &String)| {
        let name = stage.experiment.stage().unwrap_or_default().to_owned();
        let folder = match &shared {
            Some(shared) => shared.join(id),
            None => Path::new("stages").join(&name),
        };
        StagePlace { name, id: id.clone(), folder, spent: Spent::default() }
    };
    Ok(stages.iter().zip(ids).map(place).collect())
}

/// The way from one folder to another, so that both can be moved together.
fn between(from: &Path, to: &Path) -> anyhow::Result<PathBuf> {
    let whole = |path: &Path| -> anyhow::Result<PathBuf> {
        std::fs::create_dir_all(path).with_context(|| format!("{}: cannot be made", path.display()))?;
        path.canonicalize().with_context(|| format!("{}: cannot be found", path.display()))
    };
    let (from, to) = (whole(from)?, whole(to)?);
    let same = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    if same == 0 {
        return Ok(to);
    }
    let up = from.components().skip(same).map(|_| Component::ParentDir);
    Ok(up.chain(to.components().skip(same)).collect())
}

/// The places of a run that goes on, which has to have been begun with the same stages.
fn read_places(folder: &RunFolder, stages: &[Loaded]) -> anyhow::Result<Vec<StagePlace>> {
    anyhow::ensure!(folder.stages().is_file(), "{}: not there; the run has several stages", folder.stages().display());
    let places = StagePlace::read(folder)?;
    let same =
        places.iter().map(|place| Some(place.name.as_str())).eq(stages.iter().map(|stage| stage.experiment.stage()));
    anyhow::ensure!(same, "{}: lists other stages than the experiment beside it", folder.stages().display());
    Ok(places)
}

#[cfg(test)]
mod tests;
