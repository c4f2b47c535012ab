//! A task of four stages, of which each takes something up from the one before.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use candle_core::{DType, Device, Tensor};
use mga_core::ops::scaled_sum;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};
use mga_experiment::{
    Check, Components, Experiment, Known, Loaded, NetworkKind, Predictions, StageRules, StageWork, TaskRules,
};
use mga_models::weights::LoadReport;

use crate::data_set::OpenData;
use crate::interrupt::Interrupt;
use crate::loaders;
use crate::looked::Looked;
use crate::runners::evaluation::EvaluationContext;
use crate::runners::learner::{Learner, Outcome};
use crate::runners::loss_parts::LossPart;
use crate::tasks::classification::Classifier;
use crate::tasks::{Extracted, Job, Labelled, Previous, Purpose, Task, TaskData};

pub(super) struct Staged;

impl TaskRules for Staged {
    fn name(&self) -> &'static str {
        "staged"
    }

    fn about(&self) -> &'static str {
        "Stages."
    }

    fn network(&self) -> NetworkKind {
        NetworkKind::Backbone
    }

    fn predictions(&self) -> Predictions {
        Predictions::Scores
    }

    fn default_metric(&self) -> &'static str {
        "top1"
    }

    fn own_settings(&self) -> &'static [&'static str] {
        &["model.head", "objective.name"]
    }

    fn stages(&self) -> &'static [StageRules] {
        &[
            StageRules { name: "first", about: "fits", work: StageWork::Fit },
            StageRules { name: "second", about: "fits more", work: StageWork::Fit },
            StageRules { name: "features", about: "extracts", work: StageWork::Extract },
            StageRules { name: "test", about: "tests", work: StageWork::Test },
        ]
    }

    fn problems(&self, _: &Experiment, _: &Known<'_>, _: &mut Check<'_>) {}
}

impl Task for Staged {
    fn open(&self, loaded: &Loaded, components: &Components, purpose: Purpose) -> anyhow::Result<Box<dyn TaskData>> {
        Labelled::open(loaded, components, purpose, |data, loaded, components, device, trains| {
            let own = Classifier::new(loaded, components, data, device, trains)?;
            Ok(Box::new(Scaled { own, data, loaded, factor: Cell::new(1.0) }))
        })
    }
}

/// A classifier whose loss is scaled by what it takes up from the stage before, and that does nothing without.
struct Scaled<'a> {
    own: Classifier<'a>,
    data: &'a OpenData,
    loaded: &'a Loaded,
    factor: Cell<f64>,
}

impl Scaled<'_> {
    fn has_taken_up(&self) -> anyhow::Result<()> {
        let alone = !matches!(self.loaded.experiment.stage(), Some("second"));
        anyhow::ensure!(alone || self.factor.get() > 1.0, "nothing was taken up from the stage before");
        Ok(())
    }
}

impl Learner for Scaled<'_> {
    fn store(&self) -> &ParameterStore {
        self.own.store()
    }

    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        self.has_taken_up()?;
        let (loss, parts) = self.own.loss(tape, batch)?;
        Ok((scaled_sum(tape, &[(loss, self.factor.get())])?, parts))
    }

    fn evaluate(&self, loader: &Loader, context: &mut EvaluationContext<'_>) -> anyhow::Result<Box<dyn Outcome>> {
        self.has_taken_up()?;
        self.own.evaluate(loader, context)
    }
}

impl Job for Scaled<'_> {
    fn load_weights(&self, path: &Path) -> anyhow::Result<LoadReport> {
        self.own.load_weights(path)
    }

    /// Something that neither the weights nor a checkpoint hold.
    fn take_up(&self, previous: &Previous) -> anyhow::Result<Vec<String>> {
        let lines = std::fs::read_to_string(previous.folder.metrics())?.lines().count();
        // The same whether the stage begins or goes on: the model is as the seed drew it.
        let entry = self.store().entries().first().context("the model has no weights")?.tensor().clone();
        let drawn = f64::from(entry.abs()?.sum_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()?);
        self.factor.set(1.0 + lines as f64 + drawn);
        Ok(vec![format!("stage `{}` logged {lines} lines", previous.stage)])
    }

    /// The mean of each training image.
    fn extract(&self, _: &Interrupt) -> anyhow::Result<Extracted> {
        let loader = loaders::evaluation(self.loaded, self.data, &self.data.splits.train)?;
        let mut means = Vec::new();
        for batch in loader.epoch(0, 0) {
            means.push(batch?.images.mean((1, 2, 3))?);
        }
        Ok(Extracted { tensors: vec![("means".to_owned(), Tensor::cat(&means, 0)?)], skipped: loader.skipped() })
    }

    fn take_extracted(&self, tensors: &HashMap<String, Tensor>) -> anyhow::Result<()> {
        anyhow::ensure!(tensors.contains_key("means") && tensors["means"].device().same_device(&Device::Cpu));
        Ok(())
    }

    fn describe(&self, looked: &Looked) -> anyhow::Result<String> {
        self.own.describe(looked)
    }
}
