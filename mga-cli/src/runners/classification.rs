//! task = "classification": cross entropy, and the mean squared error between attention and mask.

use candle_core::DType;
use mga_core::ops;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};
use mga_models::MgaModel;

use super::attention_target::AttentionTarget;
use super::evaluation::{Evaluated, evaluate};
use super::learner::{Learner, LossPart, Outcome};
use crate::experiment::{EmptyMask, Experiment, Metric};
use crate::interrupt::Interrupt;
use crate::network_input::network_input;
use crate::progress::percent;

/// A classifier as an experiment trains it.
pub struct Classification<'a> {
    /// The resolved experiment.
    pub experiment: &'a Experiment,
    /// The model, on its device.
    pub model: &'a MgaModel,
    /// Class names.
    pub classes: Vec<String>,
    /// What each class weighs in the cross entropy; `None`: all the same.
    pub class_weights: Option<Vec<f64>>,
}

impl Learner for Classification<'_> {
    fn store(&self) -> &ParameterStore {
        self.model.store()
    }

    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let images = tape.constant(&network_input(self.model, batch)?)?;
        let prediction = self.model.forward(tape, images)?;
        if let Some(index) = batch.labels.iter().position(|&label| label == Batch::NO_LABEL) {
            anyhow::bail!("{}: has no label, so it cannot be trained on", batch.ids[index]);
        }
        let smoothing = self.experiment.objective.label_smoothing;
        let weights = self.class_weights.as_deref();
        let entropy = ops::weighted_cross_entropy(tape, prediction.logits, &batch.labels, smoothing, weights)?;
        let mut parts = vec![
            LossPart { name: "cross_entropy", value: number(&entropy)?, count: None },
            LossPart { name: "mask_mse", value: 0.0, count: Some(0.0) },
        ];
        let attention = prediction.attention.filter(|_| self.experiment.model.mask_guidance);
        let Some(attention) = attention else { return Ok((entropy, parts)) };
        let (_, _, h, w) = attention.dims4()?;
        let target = AttentionTarget::of(batch, (h, w))?;
        let skip = self.experiment.data.masks.settings.empty == EmptyMask::Skip;
        let used: Vec<bool> =
            batch.has_mask.iter().zip(&target.blank).map(|(&has, &blank)| has && !(blank && skip)).collect();
        let mse = target.squared_error(tape, attention, &used)?;
        let masks = used.iter().filter(|&&used| used).count() as f64;
        parts[1] = LossPart { name: "mask_mse", value: number(&mse)?, count: Some(masks) };
        let total = ops::scaled_sum(tape, &[(entropy, 1.0), (mse, self.experiment.objective.mask_weight)])?;
        Ok((total, parts))
    }

    fn evaluate(
        &self,
        loader: &Loader,
        interrupt: &Interrupt,
        seen: &mut dyn FnMut(usize),
    ) -> anyhow::Result<Box<dyn Outcome>> {
        let result = evaluate(self.model, loader, &self.classes, interrupt, seen)?;
        Ok(Box::new(Selected(result, self.experiment.eval.metric)))
    }
}

/// An evaluation with the metric that selects.
struct Selected(Evaluated, Metric);

impl Outcome for Selected {
    fn line(&self, split: &str, epoch: Option<usize>) -> serde_json::Value {
        self.0.to_json(split, epoch)
    }

    fn score(&self) -> Option<f64> {
        self.0.score(self.1)
    }

    fn notes(&self, split: &str) -> Vec<String> {
        self.0.notes(split)
    }

    fn shown(&self) -> String {
        format!("top1 {}{}", percent(self.0.classes.top1), self.0.masks.shown())
    }
}

/// A scalar of the tape as a number.
pub(super) fn number(value: &Value) -> anyhow::Result<f64> {
    Ok(value.tensor().to_dtype(DType::F64)?.to_vec0::<f64>()?)
}
