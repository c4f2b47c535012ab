//! A classifier as an experiment trains it: cross entropy, and the mean squared error between attention and mask.

use std::path::Path;

use candle_core::Device;
use mga_core::loss::MaskGuidedLoss;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};
use mga_experiment::{Components, EmptyMask, Loaded};
use mga_models::MgaModel;
use mga_models::weights::LoadReport;
use serde_json::json;

use super::checked;
use super::evaluation::{Evaluated, evaluate};
use super::guidance::{self, Guidance};
use super::rehearsal;
use crate::assemble;
use crate::data_set::OpenData;
use crate::gallery;
use crate::interrupt::Interrupt;
use crate::mask_files::Looked;
use crate::mask_survey::{self, MaskSurvey};
use crate::network_input::network_input;
use crate::progress::percent;
use crate::run_folder::RunFolder;
use crate::runners::learner::{Learner, LossPart, Outcome};
use crate::tasks::class_weights::class_weights;
use crate::tasks::{Closing, Job, TaskData};
use crate::weights_folder::other_classes;
use crate::weights_source::WeightsFile;

/// A classifier as an experiment trains it, on its data.
pub struct Classifier<'a> {
    /// The experiment.
    pub loaded: &'a Loaded,
    /// What it is built from.
    pub components: &'a Components,
    /// Its data.
    pub data: &'a OpenData,
    /// The model, on its device.
    pub model: MgaModel,
    /// What each class weighs in the cross entropy; `None`: all the same.
    pub class_weights: Option<Vec<f64>>,
}

/// As [`Classifier::new`].
pub(super) fn build<'a>(
    loaded: &'a Loaded,
    components: &'a Components,
    data: &'a OpenData,
    device: &Device,
    trains: bool,
) -> anyhow::Result<Classifier<'a>> {
    let classes = data.dataset.classes();
    let weighed = trains && loaded.experiment.objective.weigh_classes;
    let class_weights = class_weights(loaded, weighed, classes, || Ok(data.training_counts()))?;
    let model = assemble::fresh_model(loaded, components, classes.len(), device)?;
    Ok(Classifier { loaded, components, data, model, class_weights })
}

impl Learner for Classifier<'_> {
    fn store(&self) -> &ParameterStore {
        self.model.store()
    }

    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let images = tape.constant(&network_input(&self.model, batch)?)?;
        let prediction = self.model.forward(tape, images)?;
        if let Some(index) = batch.labels.iter().position(|&label| label == Batch::NO_LABEL) {
            anyhow::bail!("{}: has no label, so it cannot be trained on", batch.ids[index]);
        }
        let experiment = &self.loaded.experiment;
        let objective = MaskGuidedLoss {
            mask_weight: experiment.objective.mask_weight,
            label_smoothing: experiment.objective.label_smoothing,
            class_weights: self.class_weights.clone(),
            skip_blank_masks: experiment.data.masks.settings.empty == EmptyMask::Skip,
        };
        let attention = prediction.attention.filter(|_| experiment.model.mask_guidance);
        let (masks, counted, has_mask) = (&batch.masks, batch.counts.as_ref(), &batch.has_mask);
        let guidance = attention.map(|attention| mga_core::loss::Guidance { attention, masks, counted, has_mask });
        let terms = objective.forward(tape, prediction.logits, &batch.labels, guidance)?;
        let parts = vec![
            LossPart { name: "cross_entropy", value: Some(terms.cross_entropy), count: None },
            LossPart { name: "mask_mse", value: terms.mask_mse, count: Some(terms.masks_used as f64) },
        ];
        Ok((terms.total, parts))
    }

    fn evaluate(
        &self,
        loader: &Loader,
        interrupt: &Interrupt,
        seen: &mut dyn FnMut(usize),
    ) -> anyhow::Result<Box<dyn Outcome>> {
        let classes = self.data.dataset.classes();
        let evaluated = evaluate(&self.model, loader, classes, interrupt, seen)?;
        let metric = self.loaded.experiment.eval.metric.clone();
        Ok(Box::new(Selected { evaluated, metric, classes: classes.to_vec() }))
    }
}

impl Job for Classifier<'_> {
    fn load_weights(&self, path: &Path) -> anyhow::Result<LoadReport> {
        assemble::load_file(self.loaded, self.components, &self.model, path)
    }

    fn weights_notes(&self, weights: &WeightsFile) -> Vec<String> {
        other_classes(weights, self.data.dataset.classes()).into_iter().collect()
    }

    fn rehearse(&self) -> anyhow::Result<()> {
        rehearsal::classifier(self.loaded, self.components, self.data, &self.model)
    }

    fn describe(&self, looked: &Looked) -> anyhow::Result<String> {
        checked::describe(self, looked)
    }

    fn begin(&self, folder: &RunFolder, interrupt: &Interrupt) -> anyhow::Result<Vec<String>> {
        mask_survey::write(self.loaded, &self.model, self.data, folder, interrupt)
    }

    fn pictures(&self, indices: &[usize], folder: &RunFolder) -> anyhow::Result<()> {
        gallery::write(self.loaded, &self.model, self.data, indices, folder)
    }

    fn close(&self, folder: &RunFolder, interrupt: &Interrupt) -> anyhow::Result<Closing> {
        let warnings = self.data.reference_warnings();
        let warnings = warnings.iter().map(|line| format!("reference masks: {line}")).collect();
        let start = MaskSurvey::of_run(folder)?.and_then(|survey| survey.start);
        let measured = || guidance::measured(self.loaded, &self.model, self.data, interrupt);
        let end = if start.is_some() { measured()? } else { None };
        let guidance = start.zip(end).map(|(start, end)| Guidance { start, end });
        let lines = guidance.as_ref().and_then(Guidance::sentence);
        let lines = lines.map(|sentence| format!("  guidance           {sentence}\n")).unwrap_or_default();
        let summary = [("masks", json!(self.data.masks.counts())), ("guidance", json!(guidance))];
        let summary = summary.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let next = format!("pictures: {}\n", folder.pictures().display());
        Ok(Closing { warnings, summary, lines, next })
    }
}

/// An evaluation with the metric that selects.
struct Selected {
    evaluated: Evaluated,
    metric: String,
    classes: Vec<String>,
}

impl Outcome for Selected {
    fn line(&self, split: &str, epoch: Option<usize>) -> serde_json::Value {
        self.evaluated.to_json(split, epoch)
    }

    fn score(&self) -> Option<f64> {
        self.evaluated.score(&self.metric)
    }

    fn notes(&self, split: &str) -> Vec<String> {
        self.evaluated.notes(split)
    }

    fn shown(&self) -> String {
        format!("top1 {}{}", percent(self.evaluated.classes.top1), self.evaluated.masks.shown())
    }

    fn lines(&self) -> String {
        let scores = &self.evaluated.classes;
        format!(
            "  top-1 accuracy     {}   (chance {})\n  balanced accuracy  {}\n{}",
            percent(scores.top1),
            percent(Some(1.0 / self.classes.len() as f64)),
            percent(scores.balanced_accuracy),
            self.evaluated.masks.lines()
        )
    }

    fn images(&self) -> u64 {
        self.evaluated.classes.images
    }

    fn unlabelled(&self) -> usize {
        self.evaluated.unlabelled
    }

    fn write(&self, folder: &RunFolder) -> anyhow::Result<()> {
        self.evaluated.write(folder, &self.classes)
    }

    fn write_logits(&self, folder: &RunFolder) -> anyhow::Result<()> {
        self.evaluated.write_logits(folder, self.classes.len())
    }
}
