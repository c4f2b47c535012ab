//! What a training run asks of the thing it trains, whatever the task.

use candle_core::{DType, Tensor};
use mga_core::optim::OptimiserSettings;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};

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

    /// Evaluates everything the loader gives; `seen` is called after every batch.
    ///
    /// # Errors
    /// An interruption; images that cannot be evaluated.
    fn evaluate(
        &self,
        loader: &Loader,
        interrupt: &Interrupt,
        seen: &mut dyn FnMut(usize),
    ) -> anyhow::Result<Box<dyn Outcome>>;
}

/// A named part of a loss.
#[derive(Debug, Clone)]
pub struct LossPart {
    /// Its key in `metrics.jsonl`.
    pub name: &'static str,
    /// Its value for the micro-batch, a scalar that nothing has read yet; `None`: 0.
    pub value: Option<Value>,
    /// How many things it is the mean of, where that is not the images of the batch.
    pub count: Option<f64>,
}

/// Parameters beside the model's, with an optimiser of their own: the heads of a method, say.
#[derive(Clone, Copy)]
pub struct ExtraStore<'a> {
    /// A name that no other store of the job has; it stands before the names of its tensors in checkpoints.
    pub name: &'a str,
    /// The parameters.
    pub store: &'a ParameterStore,
    /// How they are updated.
    pub optimiser: &'a OptimiserSettings,
}

/// What a job keeps in a checkpoint beside its parameters.
#[derive(Debug, Clone, Default)]
pub struct JobState {
    /// Tensors by name.
    pub tensors: Vec<(String, Tensor)>,
    /// Anything else; null: nothing.
    pub json: serde_json::Value,
}

/// What came of an evaluation.
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

/// The parts of an optimiser step, over its micro-batches: not one of their values is read before it is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct StepParts(Vec<StepPart>);

/// Name, values with their weights, and how many things they are the mean of, where that is not the images.
type StepPart = (&'static str, Vec<(Option<Value>, f64)>, Option<f64>);

impl StepParts {
    /// Adds a micro-batch that holds `share` of the step's images.
    pub(super) fn add(&mut self, parts: Vec<LossPart>, share: f64) {
        for part in parts {
            let weighted = (part.value, part.count.unwrap_or(share));
            match self.0.iter_mut().find(|(name, ..)| *name == part.name) {
                Some((_, values, count)) => {
                    values.push(weighted);
                    *count = count.zip(part.count).map(|(a, b)| a + b);
                }
                None => self.0.push((part.name, vec![weighted], part.count)),
            }
        }
    }

    /// Name and mean; `None` where there was nothing to take the mean of.
    ///
    /// # Errors
    /// A value that cannot be read off its device.
    pub(super) fn means(&self) -> anyhow::Result<Vec<(&'static str, Option<f64>)>> {
        let mean = |(name, values, count): &StepPart| {
            let mut sum = 0.0;
            for (at, (value, weight)) in values.iter().enumerate() {
                let value = value.as_ref().map(number).transpose()?.unwrap_or(0.0) * weight;
                sum = if at == 0 { value } else { sum + value };
            }
            Ok(match count {
                None => (*name, Some(sum)),
                Some(count) => (*name, (*count > 0.0).then(|| sum / count)),
            })
        };
        self.0.iter().map(mean).collect()
    }
}

/// A scalar of the tape as a number.
pub(crate) fn number(value: &Value) -> anyhow::Result<f64> {
    Ok(value.tensor().to_dtype(DType::F64)?.to_vec0::<f64>()?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn parts_are_means_over_what_they_count() {
        let part = |name, value: Option<f64>, count| {
            let value = value.map(|value| Tape::eval().constant(&Tensor::new(value, &Device::Cpu).unwrap()).unwrap());
            LossPart { name, value, count }
        };
        let mut parts = StepParts::default();
        parts.add(vec![part("a", Some(2.0), None), part("b", Some(1.0), Some(1.0)), part("c", None, Some(0.0))], 0.25);
        parts.add(vec![part("a", Some(4.0), None), part("b", Some(3.0), Some(3.0)), part("c", None, Some(0.0))], 0.75);
        assert_eq!(parts.means().unwrap(), [("a", Some(3.5)), ("b", Some(2.5)), ("c", None)]);
    }
}
