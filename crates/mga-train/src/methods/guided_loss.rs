//! The loss of the built-in methods: cross entropy, and beside it the error of guided attention.

use mga_core::loss::{Guidance, MaskGuidedLoss};
use mga_core::tape::{Tape, Value};
use mga_data::Batch;
use mga_data::masks::EmptyMask;
use mga_models::MgaModel;

use super::{MethodAtWork, MethodOpening};
use crate::network_input::network_input;
use crate::runners::loss_parts::LossPart;

/// The loss that the experiment's `[objective]` says.
pub(super) struct GuidedLoss {
    loss: MaskGuidedLoss,
    guided: bool,
}

impl GuidedLoss {
    /// With guidance by masks or, where not `guided`, without.
    pub(super) fn of(opening: &MethodOpening<'_>, guided: bool) -> Self {
        let experiment = &opening.loaded.experiment;
        let loss = MaskGuidedLoss {
            mask_weight: experiment.objective.mask_weight,
            label_smoothing: experiment.objective.label_smoothing,
            class_weights: opening.class_weights.map(<[f64]>::to_vec),
            skip_blank_masks: experiment.data.masks.settings.empty == EmptyMask::Skip,
        };
        Self { loss, guided }
    }
}

impl MethodAtWork for GuidedLoss {
    fn loss(&self, model: &MgaModel, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let images = tape.constant(&network_input(model, batch)?)?;
        let prediction = model.forward(tape, images)?;
        let labels = labels(batch)?;
        let (masks, counted, has_mask) = (&batch.masks, batch.counts.as_ref(), &batch.has_mask);
        let attention = prediction.attention.filter(|_| self.guided);
        let guidance = attention.map(|attention| Guidance { attention, masks, counted, has_mask });
        let terms = self.loss.forward(tape, prediction.logits, labels, guidance)?;
        let parts = vec![
            LossPart { name: "cross_entropy", value: Some(terms.cross_entropy), count: None },
            LossPart { name: "mask_mse", value: terms.mask_mse, count: Some(terms.masks_used as f64) },
        ];
        Ok((terms.total, parts))
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
