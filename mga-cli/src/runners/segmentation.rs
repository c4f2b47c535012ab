//! task = "segmentation": a class for each pixel, by cross entropy and Dice loss.

use candle_core::{DType, Device};
use mga_core::loss::{self, LabelMaps};
use mga_core::ops;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader, Mask};
use mga_models::SegmentationNetwork;

use super::classification::number;
use super::learner::{Learner, LossPart, Outcome};
use super::segmentation_evaluation::evaluate;
use crate::experiment::Experiment;
use crate::interrupt::Interrupt;

/// The label of pixels that count nowhere.
pub const IGNORE: u32 = Mask::IGNORE as u32;

/// A segmentation network as an experiment trains it.
pub struct Segmentation<'a> {
    /// The resolved experiment.
    pub experiment: &'a Experiment,
    /// The network's parameters, on its device.
    pub store: ParameterStore,
    /// The network.
    pub network: Box<dyn SegmentationNetwork>,
    /// Class names.
    pub classes: Vec<String>,
    /// What each class weighs in the cross entropy; `None`: all the same.
    pub class_weights: Option<Vec<f64>>,
}

impl Learner for Segmentation<'_> {
    fn store(&self) -> &ParameterStore {
        &self.store
    }

    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let images = tape.constant(&batch.images.to_device(self.store.device())?)?;
        let labels = labels(batch)?;
        let maps = LabelMaps { labels: &labels, ignore: IGNORE };
        let objective = &self.experiment.objective;
        let weights = self.class_weights.as_deref();
        let output = self.network.forward(tape, images)?;
        let mut terms = vec![];
        if objective.dice_weight > 0.0 {
            terms.push(("dice", loss::dice_loss(tape, output.logits.clone(), maps)?, objective.dice_weight));
        }
        terms.insert(0, ("cross_entropy", loss::pixel_cross_entropy(tape, output.logits, maps, weights)?, 1.0));
        if let Some(auxiliary) = output.auxiliary.filter(|_| objective.auxiliary_weight > 0.0) {
            let loss = loss::pixel_cross_entropy(tape, auxiliary, maps, weights)?;
            terms.push(("auxiliary", loss, objective.auxiliary_weight));
        }
        let parts = terms.iter().map(|(name, loss, _)| Ok(LossPart { name, value: number(loss)?, count: None }));
        let parts = parts.collect::<anyhow::Result<Vec<_>>>()?;
        let weighted: Vec<(Value, f64)> = terms.into_iter().map(|(_, loss, weight)| (loss, weight)).collect();
        Ok((ops::scaled_sum(tape, &weighted)?, parts))
    }

    fn evaluate(
        &self,
        loader: &Loader,
        interrupt: &Interrupt,
        seen: &mut dyn FnMut(usize),
    ) -> anyhow::Result<Box<dyn Outcome>> {
        Ok(Box::new(evaluate(self, loader, interrupt, seen)?))
    }
}

/// The classes of a batch's pixels, `[N, H, W]`.
pub(super) fn labels(batch: &Batch) -> anyhow::Result<Vec<u32>> {
    if let Some(index) = batch.has_mask.iter().position(|has| !has) {
        anyhow::bail!("{}: is not annotated, so it cannot be trained on or evaluated", batch.ids[index]);
    }
    let values = batch.masks.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(values.into_iter().map(|value| value as u32).collect())
}
