//! The first stage: a classifier of the base classes, selected by episodes of the validation classes.

use std::path::Path;

use candle_core::Device;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};
use mga_experiment::{Components, Loaded};
use mga_models::MgaModel;
use mga_models::weights::LoadReport;

use super::data::base_classes;
use super::evaluation::evaluate;
use super::head::{self, Teller};
use super::pictures;
use super::rehearsal;
use crate::assemble;
use crate::data_set::OpenData;
use crate::looked::Looked;
use crate::methods::{MethodAtWork, MethodOpening};
use crate::run_folder::RunFolder;
use crate::runners::evaluation::EvaluationContext;
use crate::runners::learner::{ExtraStore, JobState, Learner, Outcome};
use crate::runners::loss_parts::LossPart;
use crate::runners::step::StepContext;
use crate::tasks::Job;
use crate::tasks::class_weights::class_weights;
use crate::tasks::classification::{method_of, objective_of};

/// The stage at work.
pub(super) struct Pretraining<'a> {
    data: &'a OpenData,
    loaded: &'a Loaded,
    components: &'a Components,
    model: MgaModel,
    method: Box<dyn MethodAtWork>,
    transforms: Vec<serde_json::Value>,
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
        let classes = base_classes(data);
        let weighed = trains && loaded.experiment.objective.weigh_classes;
        let counts = || Ok(data.training_counts().into_iter().take(classes.len()).collect());
        let class_weights = class_weights(loaded, weighed, classes, counts)?;
        let model = assemble::fresh_model(loaded, components, classes.len(), device)?;
        let (method, settings) = method_of(loaded, components)?;
        let transforms = method.transforms(settings);
        let objective = objective_of(loaded, class_weights)?;
        let method = method.begin(&MethodOpening { loaded, settings, model: &model, classes, objective })?;
        Ok(Self { data, loaded, components, model, method, transforms, teller: head::teller(loaded)? })
    }

    /// Does something with the model as the method wants it evaluated.
    fn evaluated<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.method.evaluation_begins(&self.model)?;
        let done = work();
        let ended = self.method.evaluation_ends(&self.model);
        // The first error is the one to tell.
        let done = done?;
        ended.map(|()| done)
    }
}

impl Learner for Pretraining<'_> {
    fn store(&self) -> &ParameterStore {
        self.model.store()
    }

    fn extra_stores(&self) -> Vec<ExtraStore<'_>> {
        self.method.stores()
    }

    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        self.method.loss(&self.model, tape, batch)
    }

    fn step(&self, batch: &Batch, context: &mut StepContext<'_>) -> anyhow::Result<()> {
        self.method.step(&self.model, batch, context)
    }

    fn epoch_begins(&self, epoch: usize) {
        self.method.epoch_begins(epoch);
    }

    fn state(&self) -> anyhow::Result<JobState> {
        self.method.state()
    }

    fn load_state(&self, state: JobState) -> anyhow::Result<()> {
        self.method.load_state(state)
    }

    fn as_evaluated(&self, work: &mut dyn FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.evaluated(work)
    }

    fn evaluate(&self, loader: &Loader, context: &mut EvaluationContext<'_>) -> anyhow::Result<Box<dyn Outcome>> {
        self.evaluated(|| evaluate((self.loaded, self.data), (&self.model, &self.teller), loader, context))
    }
}

impl Job for Pretraining<'_> {
    fn train_transforms(&self) -> Vec<serde_json::Value> {
        self.transforms.clone()
    }

    fn load_weights(&self, path: &Path) -> anyhow::Result<LoadReport> {
        assemble::load_file(self.loaded, self.components, &self.model, path)
    }

    fn rehearse(&self) -> anyhow::Result<()> {
        rehearsal::rehearse(self.loaded, self.data, &self.model)
    }

    fn pictures(&self, _: &[usize], folder: &RunFolder) -> anyhow::Result<()> {
        self.evaluated(|| pictures::write((self.loaded, self.data), (&self.model, &self.teller), folder))
    }

    fn describe(&self, _: &Looked) -> anyhow::Result<String> {
        rehearsal::described(self.loaded, self.data)
    }
}
