//! method "plain": cross entropy alone.

use mga_core::loss::MaskGuidedLoss;
use mga_core::tape::{Tape, Value};
use mga_data::Batch;
use mga_experiment::Experiment;
use mga_models::MgaModel;

use super::mga::{labels, loss_of};
use super::{Method, MethodAtWork, MethodOpening};
use crate::network_input::network_input;
use crate::runners::loss_parts::LossPart;

/// The method.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Method for Plain {
    /// Nothing is guided unless somebody says so.
    fn defaults(&self, experiment: &mut Experiment, is_written: &dyn Fn(&str) -> bool) {
        if !is_written("model.mask_guidance") {
            experiment.model.mask_guidance = false;
        }
    }

    fn problems(&self, experiment: &Experiment) -> Vec<(&'static str, String)> {
        let message =
            "trains the attention towards masks, which method \"plain\" does not; leave it out, or take \"mga\"";
        let wrong = experiment.model.mask_guidance;
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
        let terms = self.0.forward(tape, prediction.logits, labels(batch)?, None)?;
        let parts = vec![
            LossPart { name: "cross_entropy", value: Some(terms.cross_entropy), count: None },
            LossPart { name: "mask_mse", value: None, count: Some(0.0) },
        ];
        Ok((terms.total, parts))
    }
}
