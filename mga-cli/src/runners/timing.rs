//! About how long a run will take, from some of its steps.

use std::time::{Duration, Instant};

use mga_core::tape::Tape;

use super::class_weights::class_weights;
use super::classification::Classification;
use super::learner::Learner;
use crate::components::Components;
use crate::data_set::{self, TornGroups};
use crate::experiment::{Loaded, SelectOn, Task};
use crate::interrupt::Interrupt;
use crate::{assemble, loaders};

/// Steps that are not counted: the first fills memory.
const WARM_UP: usize = 1;
/// Batches that are evaluated.
const EVALUATED: usize = 3;

/// What some steps say of a run.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Timed {
    /// About how long the run takes, without early stopping.
    pub seconds: f64,
    /// Training steps that were timed.
    pub steps: usize,
}

/// Times steps of a classification run for about `limit`, and some batches of its evaluation. Nothing is written. `None`
/// for other tasks.
///
/// # Errors
/// Wrong data; what the model refuses.
pub fn time(loaded: &Loaded, components: &Components, limit: Duration) -> anyhow::Result<Option<Timed>> {
    let experiment = &loaded.experiment;
    if experiment.task != Task::Classification {
        return Ok(None);
    }
    let begun = Instant::now();
    let device = assemble::device(loaded)?;
    let data = data_set::open(loaded, components, TornGroups::Noted)?;
    let classes = data.dataset.classes().to_vec();
    let model = assemble::fresh_model(loaded, components, classes.len(), &device)?;
    let class_weights = class_weights(loaded, &classes, || Ok(data.training_counts()))?;
    let learner = Classification { experiment, model: &model, classes, class_weights };
    let mut optimiser = experiment.optimiser.build(learner.store())?;
    let train = loaders::training(loaded, &data)?;
    let opened = begun.elapsed().as_secs_f64();

    let (mut started, mut steps) = (Instant::now(), 0);
    for (number, batch) in train.epoch(0, 0).enumerate() {
        let mut tape = Tape::train(experiment.seed, number as u64).with_recompute(experiment.train.recompute);
        let (total, _) = learner.loss(&mut tape, &batch?)?;
        let gradients = tape.backward(&total, 1.0)?.into_parameters();
        // The rate is of no interest, only the work.
        optimiser.step(learner.store(), &gradients, 0.0)?;
        if number + 1 == WARM_UP {
            started = Instant::now();
            continue;
        }
        steps += 1;
        if started.elapsed() > limit {
            break;
        }
    }
    let step =
        if steps == 0 { started.elapsed().as_secs_f64() } else { started.elapsed().as_secs_f64() / steps as f64 };

    let (validation, test) = (data.splits.validation.len(), data.splits.test.len());
    let some = if validation > 0 { &data.splits.validation } else { &data.splits.test };
    let some = some.get(..some.len().min(EVALUATED * experiment.data.eval.batch_size)).unwrap_or_default();
    let started = Instant::now();
    if !some.is_empty() {
        learner.evaluate(&loaders::evaluation(loaded, &data, some)?, &Interrupt::default(), &mut |_| ())?;
    }
    let image = started.elapsed().as_secs_f64() / some.len().max(1) as f64;

    let epochs = experiment.schedule.epochs;
    let selecting = if experiment.eval.select_on == SelectOn::Test { test } else { validation };
    let evaluated = selecting * epochs.div_ceil(experiment.eval.every.max(1));
    // The last and the selected checkpoint.
    let at_the_end = test * if experiment.eval.select_on == SelectOn::Last { 1 } else { 2 };
    let training = step * (epochs * train.batches_per_epoch()) as f64;
    let seconds = opened + training + image * (evaluated + at_the_end) as f64;
    Ok(Some(Timed { seconds, steps }))
}
