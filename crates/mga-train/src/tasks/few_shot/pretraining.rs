//! The first stage: a classifier of the base classes, selected by episodes of the validation classes.

use std::path::Path;

use candle_core::Device;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};
use mga_experiment::{Components, Loaded};
use mga_models::weights::LoadReport;

use super::data::base_classes;
use super::evaluation::{self, evaluate};
use super::head::{self, Teller};
use super::pictures;
use super::rehearsal;
use crate::data_set::OpenData;
use crate::looked::Looked;
use crate::run_folder::RunFolder;
use crate::runners::evaluation::EvaluationContext;
use crate::runners::learner::{ExtraStore, JobState, Learner, Outcome};
use crate::runners::loss_parts::LossPart;
use crate::runners::step::StepContext;
use crate::tasks::Job;
use crate::tasks::classification::Classifier;

/// The stage at work: a classifier is trained, and evaluated by episodes.
pub(super) struct Pretraining<'a> {
    classifier: Classifier<'a>,
    teller: Teller,
}

impl<'a> Pretraining<'a> {
    pub(super) fn new(
        data: &'a OpenData,
        loaded: &'a Loaded,
        components: &'a Components,
        device: &Device,
        trains: bool,
    ) -> anyhow::Result<Self> {
        let classifier = Classifier::of_classes(loaded, components, (data, base_classes(data)), device, trains)?;
        Ok(Self { classifier, teller: head::teller(loaded)? })
    }
}

impl Learner for Pretraining<'_> {
    fn store(&self) -> &ParameterStore {
        self.classifier.store()
    }

    fn extra_stores(&self) -> Vec<ExtraStore<'_>> {
        self.classifier.extra_stores()
    }

    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        self.classifier.loss(tape, batch)
    }

    fn step(&self, batch: &Batch, context: &mut StepContext<'_>) -> anyhow::Result<()> {
        self.classifier.step(batch, context)
    }

    fn epoch_begins(&self, epoch: usize) {
        self.classifier.epoch_begins(epoch);
    }

    fn state(&self) -> anyhow::Result<JobState> {
        self.classifier.state()
    }

    fn load_state(&self, state: JobState) -> anyhow::Result<()> {
        self.classifier.load_state(state)
    }

    fn as_evaluated(&self, work: &mut dyn FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.classifier.as_evaluated(work)
    }

    fn evaluate(&self, loader: &Loader, context: &mut EvaluationContext<'_>) -> anyhow::Result<Box<dyn Outcome>> {
        let Classifier { loaded, data, model, .. } = &self.classifier;
        self.classifier.evaluated(|| evaluate((loaded, data), (model, &self.teller), loader, context))
    }

    fn time_evaluation(&self, loader: &Loader, most: usize) -> anyhow::Result<f64> {
        let Classifier { loaded, data, model, .. } = &self.classifier;
        evaluation::time((loaded, data), (model, &self.teller), loader, most)
    }
}

impl Job for Pretraining<'_> {
    fn train_transforms(&self) -> Vec<serde_json::Value> {
        self.classifier.train_transforms()
    }

    fn load_weights(&self, path: &Path) -> anyhow::Result<LoadReport> {
        self.classifier.load_weights(path)
    }

    fn rehearse(&self) -> anyhow::Result<()> {
        let Classifier { loaded, data, model, .. } = &self.classifier;
        rehearsal::rehearse(loaded, data, model)
    }

    fn pictures(&self, _: &[usize], folder: &RunFolder) -> anyhow::Result<()> {
        let Classifier { loaded, data, model, .. } = &self.classifier;
        self.classifier.evaluated(|| pictures::write((loaded, data), (model, &self.teller), folder))
    }

    fn describe(&self, _: &Looked) -> anyhow::Result<String> {
        rehearsal::described(self.classifier.loaded, self.classifier.data)
    }
}
