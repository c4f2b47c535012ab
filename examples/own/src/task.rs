//! A task: what is learnt from the images. This one trains nothing: a frozen backbone gives features, and classes are told
//! apart by the nearest mean of the support images that the sampler draws.

use std::cell::RefCell;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use mga_core::loss::cross_entropy;
use mga_core::ops;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};
use mga_experiment::{Check, Components, Experiment, Known, Loaded, NetworkKind, Predictions, TaskRules};
use mga_models::MgaModel;
use mga_models::weights::LoadReport;
use mga_train::assemble;
use mga_train::data_set::OpenData;
use mga_train::looked::Looked;
use mga_train::methods::labels;
use mga_train::network_input::network_input;
use mga_train::runners::evaluation::EvaluationContext;
use mga_train::runners::learner::{JobState, Learner, Outcome};
use mga_train::runners::loss_parts::LossPart;
use mga_train::runners::step::StepContext;
use mga_train::tasks::classification::Scoring;
use mga_train::tasks::{Job, Labelled, Purpose, Task, TaskData};

use crate::class_means::ClassMeans;
use crate::sampler::QUERY;

/// A task that an experiment selects with `task = "nearest-mean"`.
pub struct NearestMean;

impl TaskRules for NearestMean {
    fn name(&self) -> &'static str {
        "nearest-mean"
    }

    fn about(&self) -> &'static str {
        "One label an image, by the nearest mean of a frozen backbone's features; nothing is trained."
    }

    fn network(&self) -> NetworkKind {
        NetworkKind::Backbone
    }

    /// It is scored as a classifier is.
    fn predictions(&self) -> Predictions {
        Predictions::Scores
    }

    fn default_metric(&self) -> &'static str {
        "top1"
    }

    fn own_settings(&self) -> &'static [&'static str] {
        &[]
    }

    /// There is no attention, and nothing guides it.
    fn defaults(&self, experiment: &mut Experiment, is_written: &dyn Fn(&str) -> bool, _: &Known<'_>) {
        if !is_written("model.mask_guidance") {
            experiment.model.mask_guidance = false;
        }
        if !is_written("model.attention") {
            experiment.model.attention = "none".into();
        }
    }

    fn problems(&self, experiment: &Experiment, _: &Known<'_>, check: &mut Check<'_>) {
        if experiment.model.mask_guidance {
            check.error_at("model.mask_guidance", "task \"nearest-mean\" learns from no masks; leave it out");
        }
    }
}

impl Task for NearestMean {
    fn open(&self, loaded: &Loaded, components: &Components, purpose: Purpose) -> anyhow::Result<Box<dyn TaskData>> {
        Labelled::open(loaded, components, purpose, |data, loaded, components, device, _| {
            Ok(Box::new(Means::new(data, loaded, components, device)?))
        })
    }
}

/// The task at work: a network that stays as it is, and the means of the classes so far.
struct Means<'a> {
    data: &'a OpenData,
    loaded: &'a Loaded,
    components: &'a Components,
    model: MgaModel,
    means: RefCell<ClassMeans>,
}

impl<'a> Means<'a> {
    fn new(
        data: &'a OpenData,
        loaded: &'a Loaded,
        components: &'a Components,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let classes = data.dataset.classes().len();
        let model = assemble::fresh_model(loaded, components, classes, device)?;
        Ok(Self { data, loaded, components, model, means: RefCell::new(ClassMeans::new(classes)) })
    }

    /// The features of a batch, pooled: a row an image. On a tape for evaluation the network stays as it is.
    fn features(&self, batch: &Batch) -> anyhow::Result<Vec<Vec<f32>>> {
        let mut tape = Tape::eval();
        let images = tape.constant(&network_input(&self.model, batch)?)?;
        let features = self.model.features(&mut tape, images)?;
        let pooled = ops::adaptive_avg_pool2d(&mut tape, features.into_last()?, (1, 1))?;
        Ok(ops::flatten(&mut tape, pooled)?.tensor().to_dtype(DType::F32)?.to_vec2()?)
    }

    /// Scores `[N, classes]` of these features.
    fn scores<'f>(&self, means: &ClassMeans, rows: impl Iterator<Item = &'f Vec<f32>>) -> anyhow::Result<Tensor> {
        let scores: Vec<Vec<f32>> = rows.map(|features| means.scores(features)).collect();
        Ok(Tensor::new(scores, &Device::Cpu)?)
    }
}

impl Learner for Means<'_> {
    fn store(&self) -> &ParameterStore {
        self.model.store()
    }

    /// The cross entropy of an episode: its query images are told by the means of its own support images.
    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let (rows, labels) = (self.features(batch)?, labels(batch)?);
        let mut episode = ClassMeans::new(self.data.dataset.classes().len());
        let is_query = |at: &usize| batch.roles.get(*at) == Some(&QUERY);
        let (queries, support): (Vec<usize>, Vec<usize>) = (0..batch.len()).partition(is_query);
        support.iter().try_for_each(|&at| episode.add(&rows[at], labels[at] as usize))?;
        if queries.is_empty() || support.is_empty() {
            return Ok((tape.constant(&Tensor::new(0f32, &Device::Cpu)?)?, Vec::new()));
        }
        let scores = tape.constant(&self.scores(&episode, queries.iter().map(|&at| &rows[at]))?)?;
        let asked: Vec<u32> = queries.iter().map(|&at| labels[at]).collect();
        let loss = cross_entropy(tape, scores, &asked, 0.0)?;
        let part = LossPart { name: "query_cross_entropy", value: Some(loss.clone()), count: None };
        Ok((loss, vec![part]))
    }

    /// Nothing is updated: the support images are added to the means of their classes, and the loss is logged.
    fn step(&self, batch: &Batch, context: &mut StepContext<'_>) -> anyhow::Result<()> {
        let mut tape = Tape::eval();
        let (loss, parts) = self.loss(&mut tape, batch)?;
        context.backward(tape, &loss, parts)?;
        let mut means = self.means.borrow_mut();
        for (at, features) in self.features(batch)?.iter().enumerate() {
            if batch.roles.get(at) != Some(&QUERY) {
                means.add(features, labels(batch)?[at] as usize)?;
            }
        }
        Ok(())
    }

    fn state(&self) -> anyhow::Result<JobState> {
        Ok(JobState { tensors: self.means.borrow().tensors()?, ..JobState::default() })
    }

    fn load_state(&self, state: JobState) -> anyhow::Result<()> {
        self.means.borrow_mut().load(&state.tensors)
    }

    fn evaluate(&self, loader: &Loader, context: &mut EvaluationContext<'_>) -> anyhow::Result<Box<dyn Outcome>> {
        let means = self.means.borrow();
        anyhow::ensure!(!means.is_empty(), "no class has a mean yet: only a run that has begun can be evaluated");
        let mut scoring = Scoring::new(self.data.dataset.classes(), &self.components.kinds);
        for batch in loader.epoch(0, 0) {
            context.go_on()?;
            let batch = batch?;
            let scores = self.scores(&means, self.features(&batch)?.iter())?;
            scoring.add(&batch, &scores, None)?;
            context.seen(batch.len());
        }
        Ok(scoring.outcome(&self.loaded.experiment.eval.metric))
    }
}

impl Job for Means<'_> {
    fn load_weights(&self, path: &Path) -> anyhow::Result<LoadReport> {
        assemble::load_file(self.loaded, self.components, &self.model, path)
    }

    fn describe(&self, _: &Looked) -> anyhow::Result<String> {
        let splits = &self.data.splits;
        Ok(format!(
            "model: {}, frozen\ndata: {} training, {} validation, {} test images\n",
            self.loaded.experiment.model.backbone,
            splits.train.len(),
            splits.validation.len(),
            splits.test.len()
        ))
    }
}
