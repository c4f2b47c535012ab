//! Evaluating a split of an experiment, with the checkpoint of a run or with other weights.

use std::path::Path;

use mga_experiment::{Components, Loaded};

use super::evaluation::EvaluationContext;
use super::learner::Outcome;
use crate::TaskComponents;
use crate::assemble;
use crate::checkpoint;
use crate::interrupt::Interrupt;
use crate::loaders;
use crate::run_folder::RunFolder;
use crate::tasks::{Job, Previous, Purpose, TaskData, read_extracted};
use crate::weights_source;

/// The weights that are evaluated.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// A checkpoint of the experiment's own run.
    Checkpoint(&'a Path),
    /// A weight file, or a folder that holds one.
    File(&'a Path),
    /// Those that the experiment names.
    Named,
}

/// A split that was evaluated.
pub struct EvaluatedSplit {
    /// The numbers.
    pub outcome: Box<dyn Outcome>,
    /// Images that were left out, and why.
    pub skipped: Vec<String>,
}

/// What looks at a job that was evaluated, its data and the images.
pub(super) type Look<'a> = dyn Fn(&dyn Job, &dyn TaskData, &[usize]) -> anyhow::Result<()> + 'a;

/// Evaluates the images of `split`: `train`, `validation` or `test`. `note` hears what people should know, a line each.
///
/// # Errors
/// A wrong experiment, data or weights; no images in the split; a signal.
pub fn evaluate(
    loaded: &mut Loaded,
    components: &Components,
    weights: Weights<'_>,
    split: &str,
    interrupt: &Interrupt,
    note: &dyn Fn(&str),
) -> anyhow::Result<EvaluatedSplit> {
    evaluate_and_look(loaded, components, weights, split, interrupt, note, &|_, _, _| Ok(()))
}

/// Evaluates like [`evaluate`], and shows job, data and the images that were evaluated to `look`.
pub(super) fn evaluate_and_look(
    loaded: &mut Loaded,
    components: &Components,
    weights: Weights<'_>,
    split: &str,
    interrupt: &Interrupt,
    note: &dyn Fn(&str),
    look: &Look<'_>,
) -> anyhow::Result<EvaluatedSplit> {
    let device = assemble::device(loaded)?;
    let task = components.task_of(&loaded.experiment)?;
    let data = task.open(loaded, components, Purpose::Evaluate)?;
    data.notes().iter().for_each(|line| note(&format!("note: {line}")));
    let found =
        match weights {
            Weights::Checkpoint(_) => None,
            Weights::File(path) => {
                let found = weights_source::of_file(path)?;
                assemble::normalise_as(loaded, &found);
                Some(found)
            }
            Weights::Named => Some(assemble::settle_weights(loaded, components)?.ok_or_else(|| {
                anyhow::anyhow!("no weights to evaluate: name a file with --weights, or a run folder")
            })?),
        };
    let loaded = &*loaded;
    let job = data.build(loaded, components, &device, false)?;
    if let Weights::Checkpoint(path) = weights {
        let run = path.parent().and_then(Path::parent).map(RunFolder::at);
        match run.as_ref().map(Previous::of_run).transpose()?.flatten() {
            Some((_, Some(previous))) => drop(job.take_up(&previous)?),
            Some((id, None)) => note(&format!(
                "note: the stage before, {id}, is not beside it: it is evaluated without what that left but weights"
            )),
            None => {}
        }
        let restored = checkpoint::load_job(path, job.as_ref(), None)?;
        restored.note.iter().for_each(|line| note(&format!("note: {line}")));
        if let Some((tensors, _)) = run.as_ref().map(read_extracted).transpose()?.flatten() {
            job.take_extracted(&tensors)?;
        }
    }
    match (weights, &found) {
        (Weights::File(_), Some(found)) => {
            let report = job.load_weights(&found.path)?;
            anyhow::ensure!(
                report.reinitialised.is_empty(),
                "{}: what it lacks would be drawn at random, so there is nothing to evaluate; train it with `mga train \
                 --weights`\n{report}",
                found.path.display()
            );
            note(&report.to_string());
        }
        (_, Some(found)) => note(&assemble::load_weights(loaded, job.as_ref(), found)?),
        (_, None) => {}
    }
    let indices = match split {
        "train" => &data.splits().train,
        "validation" => &data.splits().validation,
        _ => &data.splits().test,
    };
    anyhow::ensure!(!indices.is_empty(), "the data set has no {split} images");
    let loader = loaders::of_source(loaded, data.source(false), indices.clone(), false)?;
    let outcome = job.evaluate(&loader, &mut EvaluationContext::new(interrupt, &mut |_| ()))?;
    outcome.notes(split).iter().for_each(|line| note(&format!("note: {line}")));
    if outcome.unlabelled() > 0 {
        note(&format!(
            "note: {} of {} images have no label; they are predicted and not scored",
            outcome.unlabelled(),
            indices.len()
        ));
    }
    for warning in data.reference_warnings() {
        note(&format!("warning: reference masks: {warning}"));
    }
    look(job.as_ref(), data.as_ref(), indices)?;
    Ok(EvaluatedSplit { outcome, skipped: loader.skipped() })
}
