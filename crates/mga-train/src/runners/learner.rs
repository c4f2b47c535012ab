//! What a training run asks of the thing it trains, whatever the task.

use candle_core::DType;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};

use crate::interrupt::Interrupt;
use crate::run_folder::RunFolder;

/// A model with its loss and its evaluation.
pub trait Learner {
    /// The model's parameters.
    fn store(&self) -> &ParameterStore;

    /// The loss of one micro-batch on the tape, and its parts in numbers.
    ///
    /// # Errors
    /// An image without a label; what the model refuses.
    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)>;

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
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossPart {
    /// Its key in `metrics.jsonl`.
    pub name: &'static str,
    /// Its value for the micro-batch.
    pub value: f64,
    /// How many things it is the mean of, where that is not the images of the batch.
    pub count: Option<f64>,
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

/// The parts of an optimiser step, over its micro-batches.
#[derive(Debug, Clone, Default)]
pub(super) struct StepParts(Vec<(&'static str, f64, Option<f64>)>);

impl StepParts {
    /// Adds a micro-batch that holds `share` of the step's images.
    pub(super) fn add(&mut self, parts: &[LossPart], share: f64) {
        for part in parts {
            let weight = part.count.unwrap_or(share);
            match self.0.iter_mut().find(|(name, ..)| *name == part.name) {
                Some((_, sum, count)) => {
                    *sum += part.value * weight;
                    *count = count.zip(part.count).map(|(a, b)| a + b);
                }
                None => self.0.push((part.name, part.value * weight, part.count)),
            }
        }
    }

    /// Name and mean; `None` where there was nothing to take the mean of.
    pub(super) fn means(&self) -> impl Iterator<Item = (&'static str, Option<f64>)> {
        self.0.iter().map(|&(name, sum, count)| match count {
            None => (name, Some(sum)),
            Some(count) => (name, (count > 0.0).then(|| sum / count)),
        })
    }
}

/// A scalar of the tape as a number.
pub(crate) fn number(value: &Value) -> anyhow::Result<f64> {
    Ok(value.tensor().to_dtype(DType::F64)?.to_vec0::<f64>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_means_over_what_they_count() {
        let part = |name, value, count| LossPart { name, value, count };
        let mut parts = StepParts::default();
        parts.add(&[part("a", 2.0, None), part("b", 1.0, Some(1.0)), part("c", 0.0, Some(0.0))], 0.25);
        parts.add(&[part("a", 4.0, None), part("b", 3.0, Some(3.0)), part("c", 0.0, Some(0.0))], 0.75);
        let means: Vec<_> = parts.means().collect();
        assert_eq!(means, [("a", Some(3.5)), ("b", Some(2.5)), ("c", None)]);
    }
}
