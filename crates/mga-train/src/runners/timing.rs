//! About how long a run will take, from some of its steps.

use std::time::{Duration, Instant};

use mga_experiment::{Components, Loaded, SelectOn, StageWork};

use crate::TaskComponents;
use crate::assemble;
use crate::loaders;
use crate::tasks::{Job, Purpose, TaskData};
use crate::torn_groups::TornGroups;
use crate::world::Alone;

use super::finite::{Guard, Reading};
use super::step::{Moved, StepContext, StepWork};

/// How long the steps of a stage are timed.
const TIMED: Duration = Duration::from_secs(3);
/// Steps that are not counted: the first fills memory.
const WARM_UP: usize = 1;
/// Batches that are evaluated.
const EVALUATED: usize = 3;

/// The timing of some steps of a run.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Timed {
    /// About how long the run takes, without early stopping.
    pub seconds: f64,
    /// Training steps that were timed.
    pub steps: usize,
    /// The part of `seconds` of each stage before the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<f64>,
}

/// Times steps of each stage of a run for some seconds, and some batches of its evaluation. Nothing is written.
///
/// # Errors
/// Wrong data; what the model refuses.
pub fn time(loaded: &Loaded, components: &Components) -> anyhow::Result<Timed> {
    let mut all = Timed::default();
    for stage in loaded.stages() {
        let (seconds, steps) = time_stage(stage, components)?;
        all.seconds += seconds;
        all.steps += steps;
        all.earlier.push(seconds);
    }
    all.earlier.pop();
    Ok(all)
}

/// The seconds of a stage, and the steps that were timed.
fn time_stage(loaded: &Loaded, components: &Components) -> anyhow::Result<(f64, usize)> {
    let experiment = &loaded.experiment;
    let begun = Instant::now();
    let device = assemble::device(loaded)?;
    let data = components.task_of(experiment)?.open(loaded, components, Purpose::Train(TornGroups::Noted))?;
    let learner = data.build(loaded, components, &device, true)?;
    let mut stores: Vec<Moved<'_>> = super::training::stores(experiment, &loaded.kinds, learner.as_ref())?;
    if loaded.work != StageWork::Fit {
        let opened = begun.elapsed().as_secs_f64();
        // It may need tensors that are not extracted yet: then only the opening of the stage is known.
        let [_, test] = evaluations(loaded, data.as_ref(), learner.as_ref()).unwrap_or_default();
        return Ok((opened + test, 0));
    }
    let train = loaders::to_train(loaded, learner.as_ref(), data.as_ref())?;
    let opened = begun.elapsed().as_secs_f64();

    learner.epoch_begins(0);
    let mut guard = Guard::new(Reading::on(&device, &Alone));
    let (mut started, mut steps, mut warm) = (Instant::now(), 0, Duration::ZERO);
    for (number, batch) in train.epoch(0, 0).enumerate() {
        // The rate is of no interest, only the work.
        let mut context = StepContext {
            seed: experiment.seed,
            micro_step: number as u64,
            recompute: experiment.train.recompute,
            share: 1.0,
            ends: true,
            factor: 0.0,
            clip_norm: experiment.train.clip_norm,
            stores: &mut stores,
            work: &mut StepWork::default(),
            guard: &mut guard,
            tapes: 0,
            world: &Alone,
        };
        learner.step(&batch?, &mut context)?;
        // Otherwise the time of a GPU would be that of handing it its work.
        guard.take_unread().read(&Alone)?;
        if number + 1 == WARM_UP {
            // All there is, where an epoch has one batch.
            warm = started.elapsed();
            started = Instant::now();
            continue;
        }
        steps += 1;
        if started.elapsed() > TIMED {
            break;
        }
    }
    let step = if steps == 0 { warm.as_secs_f64() } else { started.elapsed().as_secs_f64() / steps as f64 };

    let [validation, test] = evaluations(loaded, data.as_ref(), learner.as_ref())?;
    let epochs = experiment.schedule.epochs;
    let selecting = if experiment.eval.select_on == SelectOn::Test { test } else { validation };
    let evaluated = selecting * epochs.div_ceil(experiment.eval.every.max(1)) as f64;
    // The last and the selected checkpoint.
    let at_the_end = test * if experiment.eval.select_on == SelectOn::Last { 1.0 } else { 2.0 };
    let training = step * (epochs * train.batches_per_epoch()) as f64;
    Ok((opened + training + evaluated + at_the_end, steps))
}

/// About how many seconds an evaluation of the validation and of the test images takes.
fn evaluations(loaded: &Loaded, data: &dyn TaskData, learner: &dyn Job) -> anyhow::Result<[f64; 2]> {
    let splits = data.splits();
    let most = EVALUATED * loaded.experiment.data.eval.batch_size;
    let seconds = |images: &[usize]| -> anyhow::Result<f64> {
        if images.is_empty() {
            return Ok(0.0);
        }
        let loader = loaders::of_source(loaded, data.source(false), images.to_vec(), false)?;
        learner.time_evaluation(&loader, most)
    };
    Ok([seconds(&splits.validation)?, seconds(&splits.test)?])
}
