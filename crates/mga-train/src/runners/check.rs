//! Checking an experiment: everything that can be said of it before it trains.

use mga_data::transforms::Rounding;
use mga_experiment::{Components, Experiment, Loaded, PREVIOUS, StageWork};

use crate::TaskComponents;
use crate::assemble;
use crate::file_hashes::FileHashes;
use crate::interrupt::Interrupt;
use crate::loaders;
use crate::progress::Listener;
use crate::runners::training;
use crate::tasks::Purpose;
use crate::torn_groups::TornGroups;
use crate::trackers::Tracking;
use crate::weights_source::WeightsFile;

/// Refuses what training would refuse, and says what will train. The weights that the experiment names are settled in it.
/// Every image and mask that a run will read is decoded, unless it is remembered as whole.
///
/// # Errors
/// What is wrong with the experiment, its data or its weights; an interruption.
pub fn check(
    loaded: &mut Loaded,
    components: &Components,
    voice: &dyn Listener,
    interrupt: &Interrupt,
) -> anyhow::Result<String> {
    let mut stages = loaded.take_earlier();
    let checked = check_all(&mut stages, loaded, components, voice, interrupt);
    loaded.follow(stages);
    checked
}

fn check_all(
    earlier: &mut [Loaded],
    last: &mut Loaded,
    components: &Components,
    voice: &dyn Listener,
    interrupt: &Interrupt,
) -> anyhow::Result<String> {
    let (mut text, mut before) = (String::new(), None::<Experiment>);
    for stage in earlier.iter_mut().chain([last]) {
        if let Some(before) = &before {
            assemble::normalise_as_previous(stage, before);
        }
        if let Some(name) = stage.experiment.stage() {
            let what = match stage.work {
                StageWork::Fit => "fits a model",
                StageWork::Extract => "extracts tensors and evaluates, trains nothing",
                StageWork::Test => "evaluates, trains nothing",
            };
            text += &format!("stage {name}: {what}\n");
        }
        text += &check_stage(stage, components, before.as_ref().and_then(Experiment::stage), voice, interrupt)?;
        before = Some(stage.experiment.clone());
    }
    Ok(text)
}

/// Checks one stage; `previous` is the one before it.
fn check_stage(
    loaded: &mut Loaded,
    components: &Components,
    previous: Option<&str>,
    voice: &dyn Listener,
    interrupt: &Interrupt,
) -> anyhow::Result<String> {
    assemble::settle_mask_weights(loaded, components)?;
    let device = assemble::device(loaded)?;
    let task = components.task_of(&loaded.experiment)?;
    let data = task.open(loaded, components, Purpose::Train(TornGroups::Refused))?;
    data.check_complete(loaded)?;
    let own = loaded.experiment.data.mean.is_some();
    let found = assemble::settle_weights(loaded, components)?;
    let loaded = &*loaded;
    let job = data.build(loaded, components, &device, true)?;
    let weights = found.as_ref().map(|found| assemble::load_weights(loaded, job.as_ref(), found)).transpose()?;
    let (_, contents) = data.fingerprint(&FileHashes::of_user(), voice)?;
    job.rehearse()?;
    Tracking::of(loaded, components, voice)?;
    if loaded.work == StageWork::Fit {
        training::stores(&loaded.experiment, &loaded.kinds, job.as_ref())?;
        loaders::to_train(loaded, job.as_ref(), data.as_ref())?;
    }
    data.verify(loaded, &contents, voice, interrupt)?;
    // As in training, after all that cannot be read was told at once.
    let looked = data.look(loaded, usize::MAX)?;
    let mut text: String = data.notes().iter().chain(&looked.notes).map(|note| format!("note: {note}\n")).collect();
    text += &format!("device: {}, {} threads\n", assemble::device_name(&device), rayon::current_num_threads());
    let taken_up = previous.filter(|_| loaded.experiment.model.weights == PREVIOUS);
    let taken_up = taken_up.map(|stage| format!("those that stage {stage} will have"));
    text += &format!("weights: {}\n", weights.or(taken_up).as_deref().unwrap_or("none, drawn from the seed"));
    text += &preprocessing_line(loaded, own, found.as_ref());
    Ok(text + &job.describe(&looked)?)
}

/// How images are normalised, and who says so. `own`: the experiment did, before weights were settled.
fn preprocessing_line(loaded: &Loaded, own: bool, weights: Option<&WeightsFile>) -> String {
    let (mean, std) = assemble::normalisation(&loaded.experiment);
    let rounding = match loaded.experiment.data.resize_rounding {
        Some(Rounding::EightBit) => ", resized in 8 bits as PIL does",
        Some(Rounding::None) | None => "",
    };
    let theirs = weights.and_then(|weights| weights.preprocessing.as_ref());
    let from = match theirs {
        _ if own => "the experiment's own (data.mean, data.std)".to_owned(),
        Some(theirs) if theirs.trained_at.is_empty() => format!("from {}", theirs.from),
        Some(theirs) => format!("from {} (trained at {})", theirs.from, theirs.trained_at),
        None => "ImageNet's, since nothing says otherwise".to_owned(),
    };
    format!("preprocessing: mean {mean:?}, std {std:?}, {from}{rounding}\n")
}
