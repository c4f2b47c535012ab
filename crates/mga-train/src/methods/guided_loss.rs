//! The loss of the built-in methods: the experiment's objective, and beside it the error of guided attention.

use std::sync::Arc;

use mga_core::loss::{ClassObjective, Guidance, MaskGuidedLoss, Targets};
use mga_core::tape::{Tape, Value};
use mga_data::Batch;
use mga_data::masks::EmptyMask;
use mga_models::MgaModel;

use super::{MethodAtWork, MethodOpening};
use crate::network_input::network_input;
use crate::runners::loss_parts::LossPart;

/// The loss that the experiment's `[objective]` says.
pub(super) struct GuidedLoss {
    objective: Arc<ClassObjective>,
    masks: MaskGuidedLoss,
    guided: bool,
}

impl GuidedLoss {
    /// With guidance by masks or, where not `guided`, without.
    pub(super) fn of(opening: &MethodOpening<'_>, guided: bool) -> Self {
        let experiment = &opening.loaded.experiment;
        let masks = MaskGuidedLoss {
            mask_weight: experiment.objective.mask_weight,
            skip_blank_masks: experiment.data.masks.settings.empty == EmptyMask::Skip,
            ..MaskGuidedLoss::default()
        };
        Self { objective: Arc::clone(&opening.objective), masks, guided }
    }
}

impl MethodAtWork for GuidedLoss {
    fn loss(&self, model: &MgaModel, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let images = tape.constant(&network_input(model, batch)?)?;
        let prediction = model.forward(tape, images)?;
        let classification = self.objective.forward(tape, prediction.logits, targets(batch)?)?;
        let (masks, counted, has_mask) = (&batch.masks, batch.counts.as_ref(), &batch.has_mask);
        let attention = prediction.attention.filter(|_| self.guided);
        let guidance = attention.map(|attention| Guidance { attention, masks, counted, has_mask });
        let terms = self.masks.guide(tape, classification, guidance)?;
        let parts = vec![
            LossPart { name: self.objective.loss.key(), value: Some(terms.classification), count: None },
            LossPart { name: "mask_mse", value: terms.mask_mse, count: Some(terms.masks_used as f64) },
        ];
        Ok((terms.total, parts))
    }
}

/// Returns what the class scores of a batch are compared with: its soft labels where it has them, else its labels.
///
/// # Errors
/// An image carries no label.
pub fn targets(batch: &Batch) -> anyhow::Result<Targets<'_>> {
    match &batch.soft_labels {
        Some(shares) => Ok(Targets::Soft(shares)),
        None => Ok(Targets::Labels(labels(batch)?)),
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
