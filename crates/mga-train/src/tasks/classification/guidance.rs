//! The effect of guidance on the attention: how far it is from the masks of some training images before the first step,
//! and in the reported checkpoint.

use mga_core::metrics::MaskSummary;
use mga_core::parameter::Kind;
use mga_core::tape::Tape;
use mga_experiment::Loaded;
use mga_models::MgaModel;
use serde::{Deserialize, Serialize};

use super::agreement::Comparing;
use crate::data_set::OpenData;
use crate::interrupt::{Interrupt, Interrupted};
use crate::loaders;
use crate::network_input::network_input;

/// Training images that are looked at, at least: whole batches.
const IMAGES: usize = 32;

/// Guidance that takes away less than this share of the error hardly moved the map.
const HARDLY: f64 = 0.05;

/// Attention against the masks of the same training images at both ends of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guidance {
    /// The value before the first step.
    pub start: MaskSummary,
    /// The value with the reported checkpoint.
    pub end: MaskSummary,
}

impl Guidance {
    /// Returns whether the mean squared error fell by so little that guidance did next to nothing, or rose; `None`
    /// where an end of the run has no error to tell it by.
    #[must_use]
    pub fn hardly_moved(&self) -> Option<bool> {
        let (start, end) = self.start.mask_mse.zip(self.end.mask_mse)?;
        Some(end > (1.0 - HARDLY) * start)
    }

    /// Describes the effect of guidance for people; `None` as in [`Self::hardly_moved`].
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let (start, end) = self.start.mask_mse.zip(self.end.mask_mse)?;
        let verdict = if self.hardly_moved()? { ": guidance hardly moved the attention" } else { "" };
        let images = self.end.masks_used;
        Some(format!("mask MSE {start:.4} at the start, {end:.4} at the end ({images} training images){verdict}"))
    }
}

/// Returns the agreement of attention and masks over the first training batches of the first epoch, as training sees
/// them: augmented, and with the statistics of the batch, for the running ones of a network that begins are of no batch
/// yet. The model is left as it is. `None` where nothing is guided.
///
/// # Errors
/// Images that cannot be read; an interruption.
pub fn measured(
    loaded: &Loaded,
    model: &MgaModel,
    data: &OpenData,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<MaskSummary>> {
    let experiment = &loaded.experiment;
    if !experiment.model.mask_guidance || experiment.objective.mask_weight == 0.0 {
        return Ok(None);
    }
    let buffers = model.store().entries().iter().filter(|entry| entry.kind() == Kind::Buffer);
    let kept: Vec<_> = buffers.map(|entry| (entry, entry.tensor())).collect();
    let found = first_batches(loaded, model, data, interrupt);
    // A forward pass of training moves the running statistics.
    kept.into_iter().try_for_each(|(entry, tensor)| entry.set(tensor))?;
    found.map(|found| Some(found).filter(|found| found.masks_used > 0))
}

fn first_batches(
    loaded: &Loaded,
    model: &MgaModel,
    data: &OpenData,
    interrupt: &Interrupt,
) -> anyhow::Result<MaskSummary> {
    let mut comparing = Comparing::default();
    let batches = IMAGES.div_ceil(loaded.experiment.data.batch_size);
    for (number, batch) in loaders::training(loaded, data)?.epoch(0, 0).take(batches).enumerate() {
        if interrupt.is_raised() {
            return Err(Interrupted("interrupted while the attention was looked at; nothing is lost".to_owned()).into());
        }
        let batch = batch?;
        let mut tape = Tape::train(loaded.experiment.seed, number as u64);
        let images = tape.constant(&network_input(model, &batch)?)?;
        if let Some(attention) = model.forward(&mut tape, images)?.attention {
            comparing.add(&batch, attention.tensor())?;
        }
    }
    Ok(comparing.done().own)
}

#[cfg(test)]
mod tests {
    use mga_core::metrics::MaskAgreement;

    use super::*;

    fn summary(attention: [f64; 2]) -> MaskSummary {
        let mut agreement = MaskAgreement::new();
        agreement.add(&attention, &[0.0, 1.0]).unwrap();
        agreement.summary()
    }

    #[test]
    fn a_map_that_stays_where_it_was_is_told() {
        let of = |end| Guidance { start: summary([0.5, 0.5]), end: summary(end) };
        // 0.25 at the start; 0.2401 is 4 % less, 0.2304 is 8 % less, 0.26 more.
        assert_eq!(of([0.49, 0.51]).hardly_moved(), Some(true));
        assert_eq!(of([0.48, 0.52]).hardly_moved(), Some(false));
        assert_eq!(of([0.51, 0.49]).hardly_moved(), Some(true));
        let said = of([0.49, 0.51]).sentence().unwrap();
        assert_eq!(
            said,
            "mask MSE 0.2500 at the start, 0.2401 at the end (1 training images): guidance hardly moved the attention"
        );
        assert!(!of([0.1, 0.9]).sentence().unwrap().contains("hardly"));
        let none = Guidance { start: MaskAgreement::new().summary(), end: summary([0.1, 0.9]) };
        assert_eq!((none.hardly_moved(), none.sentence()), (None, None));
    }
}
