//! A segmentation network as an experiment trains it: a class for each pixel.

use std::path::Path;

use mga_core::loss::LabelMaps;
use mga_core::ops;
use mga_core::parameter::{Kind, ParameterStore};
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};
use mga_models::weights::{LoadReport, load_network};

use super::evaluation::evaluate;
use super::network::{IGNORE, Segmenter, labels};
use super::overview::overview;
use super::rehearsal::rehearse;
use crate::interrupt::Interrupt;
use crate::looked::Looked;
use crate::run_folder::RunFolder;
use crate::runners::evaluation::EvaluationContext;
use crate::runners::learner::{Learner, Outcome};
use crate::runners::loss_parts::LossPart;
use crate::tasks::class_weights::class_weights_line;
use crate::tasks::{Closing, Job};

impl Learner for Segmenter<'_> {
    fn store(&self) -> &ParameterStore {
        &self.store
    }

    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let images = tape.constant(&batch.images.to_device(self.store.device())?)?;
        let labels = labels(batch)?;
        let maps = LabelMaps { labels: &labels, ignore: IGNORE };
        let objective = &self.loaded.experiment.objective;
        let weights = self.class_weights.as_deref();
        let output = self.network.forward(tape, images)?;
        let mut terms = vec![];
        // Gradients add up in the order of the tape, so that order stays.
        if let Some(dice) = &self.losses.dice {
            let loss = dice.loss(tape, output.logits.clone(), maps, weights)?;
            terms.push((dice.key(), loss, objective.dice_weight));
        }
        let main = &self.losses.main;
        terms.insert(0, (main.key(), main.loss(tape, output.logits, maps, weights)?, 1.0));
        if let Some(auxiliary) = output.auxiliary.filter(|_| objective.auxiliary_weight > 0.0) {
            let loss = main.loss(tape, auxiliary, maps, weights)?;
            terms.push(("auxiliary", loss, objective.auxiliary_weight));
        }
        let part =
            |(name, loss, _): &(&'static str, Value, f64)| LossPart { name, value: Some(loss.clone()), count: None };
        let parts = terms.iter().map(part).collect();
        let weighted: Vec<(Value, f64)> = terms.into_iter().map(|(_, loss, weight)| (loss, weight)).collect();
        Ok((ops::scaled_sum(tape, &weighted)?, parts))
    }

    fn evaluate(&self, loader: &Loader, context: &mut EvaluationContext<'_>) -> anyhow::Result<Box<dyn Outcome>> {
        Ok(Box::new(evaluate(self, loader, context)?))
    }
}

impl Job for Segmenter<'_> {
    fn load_weights(&self, path: &Path) -> anyhow::Result<LoadReport> {
        let model = &self.loaded.experiment.model;
        Ok(load_network(&self.store, path, self.components.networks(), &model.backbone, model.strict)?)
    }

    fn rehearse(&self) -> anyhow::Result<()> {
        rehearse(self)
    }

    fn describe(&self, looked: &Looked) -> anyhow::Result<String> {
        let (experiment, splits) = (&self.loaded.experiment, &self.data.splits);
        let mut text = format!(
            "data: {}; {} training, {} validation and {} test images are annotated\n",
            experiment.data.dataset,
            splits.train.len(),
            splits.validation.len(),
            splits.test.len()
        );
        looked.kinds.iter().for_each(|kind| text += &format!("{kind}\n"));
        text += &class_weights_line(self.data.annotated.classes(), self.class_weights.as_deref());
        let trained = self.store.entries().iter().filter(|entry| entry.kind() == Kind::Weight);
        let parameters: usize = trained.map(|entry| entry.tensor().elem_count()).sum();
        text += &format!("model: {}, {parameters} parameters, all trained\n", experiment.model.backbone);
        Ok(text)
    }

    fn pictures(&self, indices: &[usize], folder: &RunFolder) -> anyhow::Result<()> {
        overview(self, indices, folder)
    }

    fn close(&self, folder: &RunFolder, _: &Interrupt) -> anyhow::Result<Closing> {
        let next = format!("masks: mga masks EXPERIMENT --weights {} --out FOLDER\n", folder.path().display());
        Ok(Closing { next, ..Closing::default() })
    }
}
