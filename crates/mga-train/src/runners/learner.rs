//! The interface of what a training run trains, whatever the task.

use std::time::Instant;

use candle_core::Tensor;
use mga_core::optim::OptimiserSettings;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};

use super::evaluation::EvaluationContext;
use super::loss_parts::LossPart;
use super::step::StepContext;
use crate::interrupt::Interrupt;
use crate::run_folder::RunFolder;

/// A model with its loss and its evaluation.
pub trait Learner {
    /// The model's parameters.
    fn store(&self) -> &ParameterStore;

    /// Parameters beside the model's.
    fn extra_stores(&self) -> Vec<ExtraStore<'_>> {
        Vec::new()
    }

    /// The loss of one micro-batch on the tape, and its parts.
    ///
    /// # Errors
    /// An image without a label; what the model refuses.
    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)>;

    /// Works on one micro-batch: as many tapes, passes and updates as it likes. By default the loss is computed, followed
    /// back, and where the optimiser step ends, gradients are clipped and parameters updated.
    ///
    /// # Errors
    /// As of [`Self::loss`]; a loss or gradient that is not finite.
    fn step(&self, batch: &Batch, context: &mut StepContext<'_>) -> anyhow::Result<()> {
        let mut tape = context.tape();
        let (loss, parts) = self.loss(&mut tape, batch)?;
        context.backward(tape, &loss, parts)?;
        context.update_at_the_end()?;
        Ok(())
    }

    /// Is told that an epoch begins, counted from 0, before its first step or, in a run that goes on, the next one.
    fn epoch_begins(&self, _epoch: usize) {}

    /// What the next step depends on beside parameters and optimisers, for a checkpoint.
    ///
    /// # Errors
    /// Tensors that cannot be copied.
    fn state(&self) -> anyhow::Result<JobState> {
        Ok(JobState::default())
    }

    /// Takes up a saved state: the next step is the same to the bit as it would have been without saving.
    ///
    /// # Errors
    /// State of another job.
    fn load_state(&self, _state: JobState) -> anyhow::Result<()> {
        Ok(())
    }

    /// Does something with the parameters as they are evaluated, which a method may put in the trained ones' place: an
    /// average of them, say. By default those are the same.
    ///
    /// # Errors
    /// Those of `work`; parameters that cannot be put in place.
    fn as_evaluated(&self, work: &mut dyn FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
        work()
    }

    /// Evaluates everything the loader gives. The context is asked before every batch whether to go on, and told of every
    /// batch.
    ///
    /// # Errors
    /// An interruption; images that cannot be evaluated.
    fn evaluate(&self, loader: &Loader, context: &mut EvaluationContext<'_>) -> anyhow::Result<Box<dyn Outcome>>;

    /// About how many seconds [`Self::evaluate`] takes, from about `most` of the images. By default an evaluation of the
    /// first ones, whose time grows with the number of images.
    ///
    /// # Errors
    /// Those of [`Self::evaluate`].
    fn time_evaluation(&self, loader: &Loader, most: usize) -> anyhow::Result<f64> {
        let all = loader.indices();
        let some = &all[..all.len().min(most)];
        let started = Instant::now();
        let interrupt = Interrupt::default();
        self.evaluate(&loader.of(some.to_vec()), &mut EvaluationContext::new(&interrupt, &mut |_| ()))?;
        Ok(started.elapsed().as_secs_f64() * all.len() as f64 / some.len().max(1) as f64)
    }
}

/// Parameters beside the model's, with an optimiser of their own: the heads of a method, say.
#[derive(Clone, Copy)]
pub struct ExtraStore<'a> {
    /// A name that no other store of the job has, without dots and other than `state`; it stands before the names of its
    /// tensors in checkpoints.
    pub name: &'a str,
    /// The parameters.
    pub store: &'a ParameterStore,
    /// The optimiser that updates them.
    pub optimiser: &'a OptimiserSettings,
}

/// The state that a job keeps in a checkpoint, besides its parameters.
#[derive(Debug, Clone, Default)]
pub struct JobState {
    /// Tensors by name.
    pub tensors: Vec<(String, Tensor)>,
    /// Anything else; null: nothing.
    pub json: serde_json::Value,
}

/// The result of an evaluation.
pub trait Outcome {
    /// Its line in `metrics.jsonl` and `summary.json`.
    fn line(&self, split: &str, epoch: Option<usize>) -> serde_json::Value;

    /// The number that selects checkpoints; higher is better.
    fn score(&self) -> Option<f64>;

    /// What people should know of the numbers on `split`, a sentence each.
    fn notes(&self, split: &str) -> Vec<String>;

    /// The numbers for people, behind an epoch's loss.
    fn shown(&self) -> String;

    /// The numbers for people at the end of a run, a line each.
    fn lines(&self) -> String;

    /// How many images were scored.
    fn images(&self) -> u64;

    /// How many images carry no label: they are predicted and not scored.
    fn unlabelled(&self) -> usize {
        0
    }

    /// Writes what is known of each image and class into a folder: `confusion.csv`, and `predictions.csv` where images have
    /// a class.
    ///
    /// # Errors
    /// The folder cannot be written to.
    fn write(&self, folder: &RunFolder) -> anyhow::Result<()>;

    /// Writes `logits.safetensors`: the scores of every image.
    ///
    /// # Errors
    /// The task has no scores of images; the folder cannot be written to.
    fn write_logits(&self, folder: &RunFolder) -> anyhow::Result<()>;
}

/// The key of an evaluation that says what of it JSON cannot write: how many images, or which numbers, are NaN or infinite.
pub const NOT_FINITE: &str = "not_finite";
