//! task = "classification": cross entropy, and the mean squared error between attention and mask.

use candle_core::DType;
use mga_core::loss::{Guidance, MaskGuidedLoss};
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};
use mga_models::MgaModel;

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
        let objective = MaskGuidedLoss {
            mask_weight: self.experiment.objective.mask_weight,
            label_smoothing: self.experiment.objective.label_smoothing,
            class_weights: self.class_weights.clone(),
            skip_blank_masks: self.experiment.data.masks.empty == EmptyMask::Skip,
        };
        let attention = prediction.attention.filter(|_| self.experiment.model.mask_guidance);
        let (masks, counted, has_mask) = (&batch.masks, batch.counts.as_ref(), &batch.has_mask);
        let guidance = attention.map(|attention| Guidance { attention, masks, counted, has_mask });
        let terms = objective.forward(tape, prediction.logits, &batch.labels, guidance)?;
        let mask_mse = terms.mask_mse.as_ref().map(number).transpose()?.unwrap_or(0.0);
        let parts = vec![
            LossPart { name: "cross_entropy", value: number(&terms.cross_entropy)?, count: None },
            LossPart { name: "mask_mse", value: mask_mse, count: Some(terms.masks_used as f64) },
        ];
        Ok((terms.total, parts))
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
