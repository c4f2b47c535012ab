//! method "mga": cross entropy, and the mean squared error between attention and mask (Wang, Yu, Gao, ICIP 2021).

use mga_core::loss::{Guidance, MaskGuidedLoss};
use mga_core::tape::{Tape, Value};
use mga_data::Batch;
use mga_data::masks::EmptyMask;
use mga_experiment::Experiment;
use mga_models::MgaModel;

use super::{Method, MethodAtWork, MethodOpening};
use crate::network_input::network_input;
use crate::runners::loss_parts::LossPart;

/// The method.
#[derive(Debug, Clone, Copy)]
pub struct Mga;

impl Method for Mga {
    fn problems(&self, experiment: &Experiment) -> Vec<(&'static str, String)> {
        let message = "false, but method \"mga\" trains the attention towards masks; leave it out, or take \"plain\"";
        let wrong = !experiment.model.mask_guidance;
        wrong.then(|| ("model.mask_guidance", message.to_owned())).into_iter().collect()
    }

    fn begin(&self, opening: &MethodOpening<'_>) -> anyhow::Result<Box<dyn MethodAtWork>> {
        Ok(Box::new(AtWork(loss_of(opening))))
    }
}

struct AtWork(MaskGuidedLoss);

impl MethodAtWork for AtWork {
    fn loss(&self, model: &MgaModel, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let images = tape.constant(&network_input(model, batch)?)?;
        let prediction = model.forward(tape, images)?;
        let labels = labels(batch)?;
        let (masks, counted, has_mask) = (&batch.masks, batch.counts.as_ref(), &batch.has_mask);
        let guidance = prediction.attention.map(|attention| Guidance { attention, masks, counted, has_mask });
        let terms = self.0.forward(tape, prediction.logits, labels, guidance)?;
        let parts = vec![
            LossPart { name: "cross_entropy", value: Some(terms.cross_entropy), count: None },
            LossPart { name: "mask_mse", value: terms.mask_mse, count: Some(terms.masks_used as f64) },
        ];
        Ok((terms.total, parts))
    }
}

/// The loss that the experiment's `[objective]` says.
pub(super) fn loss_of(opening: &MethodOpening<'_>) -> MaskGuidedLoss {
    let experiment = &opening.loaded.experiment;
    MaskGuidedLoss {
        mask_weight: experiment.objective.mask_weight,
        label_smoothing: experiment.objective.label_smoothing,
        class_weights: opening.class_weights.map(<[f64]>::to_vec),
        skip_blank_masks: experiment.data.masks.settings.empty == EmptyMask::Skip,
    }
}

/// Returns the labels of a batch.
///
/// # Errors
/// An image carries none.
pub fn labels(batch: &Batch) -> anyhow::Result<&[u32]> {
    if let Some(index) = batch.labels.iter().position(|&label| label == Batch::NO_LABEL) {
        anyhow::bail!("{}: has no label, so it cannot be trained on", batch.ids[index]);
    }
    Ok(&batch.labels)
}
