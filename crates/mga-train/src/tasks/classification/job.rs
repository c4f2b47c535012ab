//! A classifier as an experiment trains it: cross entropy, and the mean squared error between attention and mask.

use std::path::Path;

use anyhow::Context;
use candle_core::Device;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};
use mga_experiment::{Components, Loaded};
use mga_models::MgaModel;
use mga_models::weights::LoadReport;
use serde_json::json;

use super::checked;
use super::chosen::method_of;
use super::evaluation::{Scoring, Selected, evaluate};
use super::guidance::{self, Guidance};
use super::objective::objective_of;
use super::rehearsal;
use crate::assemble;
use crate::data_set::OpenData;
use crate::gallery;
use crate::interrupt::Interrupt;
use crate::looked::Looked;
use crate::mask_survey::{self, MaskSurvey};
use crate::methods::{MethodAtWork, MethodOpening, Predicted};
use crate::run_folder::RunFolder;
use crate::runners::evaluation::EvaluationContext;
use crate::runners::learner::{ExtraStore, JobState, Learner, Outcome};
use crate::runners::loss_parts::LossPart;
use crate::runners::step::StepContext;
use crate::tasks::class_weights::class_weights;
use crate::tasks::{Closing, Job, TaskData};
use crate::weights_folder::other_classes;
use crate::weights_source::WeightsFile;

/// A classifier as an experiment trains it, on its data.
pub struct Classifier<'a> {
    /// The experiment.
    pub loaded: &'a Loaded,
    /// The components that the job is built from.
    pub components: &'a Components,
    /// The data.
    pub data: &'a OpenData,
    /// The classes that it tells apart, the first of the data set's.
    pub classes: &'a [String],
    /// The model, on its device.
    pub model: MgaModel,
    /// The weight of each class in the cross entropy; `None` if all weigh the same.
    pub class_weights: Option<Vec<f64>>,
    /// The training method.
    pub method: Box<dyn MethodAtWork>,
    /// Transforms of the method's own.
    pub transforms: Vec<serde_json::Value>,
}

impl Classifier<'_> {
    /// Does something with the model as the method wants it evaluated.
    pub(crate) fn evaluated<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.method.evaluation_begins(&self.model)?;
        let done = work();
        let ended = self.method.evaluation_ends(&self.model);
        // The first error is the one to tell.
        let done = done?;
        ended.map(|()| done)
    }
}

impl<'a> Classifier<'a> {
    /// Returns the classifier of an experiment, drawn from its seed, on its data.
    ///
    /// # Errors
    /// Settings that the model refuses, at the place where they were written; class weights that do not fit the classes.
    pub fn new(
        loaded: &'a Loaded,
        components: &'a Components,
        data: &'a OpenData,
        device: &Device,
        trains: bool,
    ) -> anyhow::Result<Self> {
        Self::of_classes(loaded, components, (data, data.dataset.classes()), device, trains)
    }

    /// Returns the classifier of the first classes of a data set, which all training images are of.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_classes(
        loaded: &'a Loaded,
        components: &'a Components,
        (data, classes): (&'a OpenData, &'a [String]),
        device: &Device,
        trains: bool,
    ) -> anyhow::Result<Self> {
        let weighed = trains && loaded.experiment.objective.weigh_classes;
        let counts = || Ok(data.training_counts().into_iter().take(classes.len()).collect());
        let class_weights = class_weights(loaded, weighed, classes, counts)?;
        let model = assemble::fresh_model(loaded, components, classes.len(), device)?;
        let (method, settings) = method_of(loaded, components)?;
        let transforms = method.transforms(settings);
        let objective = objective_of(loaded, class_weights.clone())?;
        let opening = MethodOpening { loaded, settings, model: &model, classes, objective };
        let method = method.begin(&opening)?;
        Ok(Self { loaded, components, data, classes, model, class_weights, method, transforms })
    }
}

impl Learner for Classifier<'_> {
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
        let classes = self.classes;
        let scoring = Scoring::new(classes, &self.components.kinds);
        let output = self.loaded.experiment.eval.output.as_str();
        let scorer = |tape: &mut Tape, batch: &Batch| {
            let Predicted { scores, attention } = self.method.predict(&self.model, tape, batch)?;
            let named = scores.into_iter().find(|(name, _)| *name == output);
            let (_, scores) = named.with_context(|| format!("the method gives no scores `{output}` (eval.output)"))?;
            Ok((scores, attention))
        };
        let evaluated = self.evaluated(|| evaluate(&scorer, loader, scoring, context))?;
        let metric = self.loaded.experiment.eval.metric.clone();
        Ok(Box::new(Selected { evaluated, metric, classes: classes.to_vec() }))
    }
}

impl Job for Classifier<'_> {
    fn train_transforms(&self) -> Vec<serde_json::Value> {
        self.transforms.clone()
    }

    fn load_weights(&self, path: &Path) -> anyhow::Result<LoadReport> {
        assemble::load_file(self.loaded, self.components, &self.model, path)
    }

    fn weights_notes(&self, weights: &WeightsFile) -> Vec<String> {
        other_classes(weights, self.classes).into_iter().collect()
    }

    fn rehearse(&self) -> anyhow::Result<()> {
        rehearsal::classifier(self.loaded, self.components, self.data, &self.model)
    }

    fn describe(&self, looked: &Looked) -> anyhow::Result<String> {
        checked::describe(self.loaded, self.data, &self.model, self.class_weights.as_deref(), looked)
    }

    fn begin(&self, folder: &RunFolder, interrupt: &Interrupt) -> anyhow::Result<Vec<String>> {
        mask_survey::write(self.loaded, &self.model, self.data, folder, interrupt)
    }

    fn pictures(&self, indices: &[usize], folder: &RunFolder) -> anyhow::Result<()> {
        self.evaluated(|| gallery::write(self.loaded, &self.model, self.data, indices, folder))
    }

    fn close(&self, folder: &RunFolder, interrupt: &Interrupt) -> anyhow::Result<Closing> {
        let warnings = self.data.reference_warnings();
        let warnings = warnings.iter().map(|line| format!("reference masks: {line}")).collect();
        let start = MaskSurvey::of_run(folder)?.and_then(|survey| survey.start);
        let measured = || guidance::measured(self.loaded, &self.model, self.data, interrupt);
        let end = if start.is_some() { self.evaluated(measured)? } else { None };
        let guidance = start.zip(end).map(|(start, end)| Guidance { start, end });
        let lines = guidance.as_ref().and_then(Guidance::sentence);
        let lines = lines.map(|sentence| format!("  guidance           {sentence}\n")).unwrap_or_default();
        let summary = [("masks", json!(self.data.masks.counts())), ("guidance", json!(guidance))];
        let summary = summary.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let next = format!("pictures: {}\n", folder.pictures().display());
        Ok(Closing { warnings, summary, lines, next })
    }
}
