//! A task of two stages: the first fits a classifier, the second trains nothing. It extracts the features of the training
//! images, and tells each batch of images by the means of the support images of one episode.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use candle_core::{DType, Device, Tensor};
use mga_core::ops;
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::sampler::{Sampler, Samplers};
use mga_data::{Batch, Loader};
use mga_experiment::{
    Check, Components, Experiment, Known, Loaded, NetworkKind, OwnTable, Predictions, StageRules, StageWork, TaskRules,
    schema_of,
};
use mga_models::MgaModel;
use mga_models::weights::LoadReport;
use mga_train::data_set::OpenData;
use mga_train::interrupt::{Interrupt, Interrupted};
use mga_train::looked::Looked;
use mga_train::network_input::network_input;
use mga_train::runners::evaluation::EvaluationContext;
use mga_train::runners::learner::{Learner, Outcome};
use mga_train::runners::loss_parts::LossPart;
use mga_train::tasks::classification::{Classifier, Scoring};
use mga_train::tasks::{Extracted, Job, Labelled, Purpose, Task, TaskData};
use mga_train::{assemble, loaders};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::sampler::SUPPORT;

/// A task that an experiment selects with `task = "episodes"`.
pub struct EpisodesTask;

/// The stages, in their order.
const STAGES: &[StageRules] = &[
    StageRules { name: "pretrain", about: "fits a classifier of all classes", work: StageWork::Fit },
    StageRules { name: "extract", about: "extracts features, and scores episodes of them", work: StageWork::Extract },
];

/// The task's own table, `[support]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct SupportSettings {
    /// How much of the label of a support image is shared among all classes.
    #[schemars(range(min = 0.0, max = 0.9))]
    smoothing: f64,
}

impl Default for SupportSettings {
    fn default() -> Self {
        Self { smoothing: 0.1 }
    }
}

impl TaskRules for EpisodesTask {
    fn name(&self) -> &'static str {
        "episodes"
    }

    fn about(&self) -> &'static str {
        "One label an image, by the support images of an episode, with features of a backbone that is fitted before."
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

    /// The classifier of the first stage has a head and an objective.
    fn own_settings(&self) -> &'static [&'static str] {
        &["model.head", "objective.name"]
    }

    fn own_tables(&self) -> Vec<OwnTable> {
        let about = "How the support images of an episode are used.";
        vec![OwnTable { table: "support", about, schema: schema_of::<SupportSettings>() }]
    }

    fn stages(&self) -> &'static [StageRules] {
        STAGES
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
        if experiment.stage() == Some("extract") && experiment.named("sampler").is_none() {
            check.error_at("sampler", "missing; the stage draws its episodes by a sampler, such as \"episodes\"");
        }
    }
}

impl Task for EpisodesTask {
    fn open(&self, loaded: &Loaded, components: &Components, purpose: Purpose) -> anyhow::Result<Box<dyn TaskData>> {
        Labelled::open(loaded, components, purpose, |data, loaded, components, device, trains| {
            Ok(match loaded.experiment.stage() {
                Some("extract") => Box::new(Episodes::new(data, loaded, components, device)?),
                _ => Box::new(Classifier::new(loaded, components, data, device, trains)?),
            })
        })
    }
}

/// The second stage at work.
struct Episodes<'a> {
    data: &'a OpenData,
    loaded: &'a Loaded,
    components: &'a Components,
    model: MgaModel,
    support: RefCell<Support>,
}

/// What is known of the training images, by their index: features, and soft labels.
type Support = HashMap<usize, (Vec<f32>, Vec<f32>)>;

impl<'a> Episodes<'a> {
    fn new(
        data: &'a OpenData,
        loaded: &'a Loaded,
        components: &'a Components,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let model = assemble::fresh_model(loaded, components, data.dataset.classes().len(), device)?;
        Ok(Self { data, loaded, components, model, support: RefCell::default() })
    }

    /// The features of a batch, `[N, D]`.
    fn features(&self, batch: &Batch) -> anyhow::Result<Tensor> {
        let mut tape = Tape::eval();
        let images = tape.constant(&network_input(&self.model, batch)?)?;
        let features = self.model.features(&mut tape, images)?.into_last()?;
        let pooled = ops::adaptive_avg_pool2d(&mut tape, features, (1, 1))?;
        Ok(ops::flatten(&mut tape, pooled)?.tensor().to_dtype(DType::F32)?)
    }

    /// The soft labels of a batch, `[N, K]`: those that something mixed, else the labels, smoothed.
    fn soft_labels(&self, batch: &Batch) -> anyhow::Result<Tensor> {
        if let Some(mixed) = &batch.soft_labels {
            return Ok(mixed.clone());
        }
        let classes = self.data.dataset.classes().len();
        let SupportSettings { smoothing } = self.loaded.experiment.own("support")?;
        let share = |class: usize, label: u32| {
            let whole = if class == label as usize { 1.0 - smoothing } else { 0.0 };
            (whole + smoothing / classes as f64) as f32
        };
        let rows = batch.labels.iter().flat_map(|&label| (0..classes).map(move |class| share(class, label)));
        Ok(Tensor::from_iter(rows, &Device::Cpu)?.reshape((batch.len(), classes))?)
    }

    /// The sampler of the stage, on the training images.
    fn sampler(&self) -> anyhow::Result<Box<dyn Sampler>> {
        let experiment = &self.loaded.experiment;
        let (name, table) = experiment.named("sampler").context("the stage has no sampler")?;
        let entry = self.loaded.kinds.get::<Samplers>(name).context("no such sampler is registered")?;
        let (records, train) = (self.data.dataset.records(), &self.data.splits.train);
        let sampler = entry.item.build(table, records, train, experiment.seed, experiment.data.batch_size);
        sampler.map_err(|error| self.loaded.error_in("sampler", error).into())
    }

    /// The means of the classes `[K, D]` of the support images of an episode, each weighted by its soft labels.
    fn means(&self, episode: &[usize]) -> anyhow::Result<Vec<Vec<f32>>> {
        let (support, classes) = (self.support.borrow(), self.data.dataset.classes().len());
        let mut means = vec![Vec::new(); classes];
        for (class, mean) in means.iter_mut().enumerate() {
            let mut weights = 0.0;
            for index in episode {
                let (features, labels) = support.get(index).context("a support image was not extracted")?;
                mean.resize(features.len(), 0.0);
                mean.iter_mut().zip(features).for_each(|(sum, value)| *sum += labels[class] * value);
                weights += labels[class];
            }
            mean.iter_mut().for_each(|sum| *sum /= weights.max(f32::MIN_POSITIVE));
        }
        Ok(means)
    }
}

impl Learner for Episodes<'_> {
    fn store(&self) -> &ParameterStore {
        self.model.store()
    }

    fn loss(&self, _: &mut Tape, _: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        anyhow::bail!("the stage `extract` trains nothing")
    }

    /// Batch after batch is told by the next episode.
    fn evaluate(&self, loader: &Loader, context: &mut EvaluationContext<'_>) -> anyhow::Result<Box<dyn Outcome>> {
        let (sampler, mut scoring) = (self.sampler()?, Scoring::new(self.data.dataset.classes(), &self.loaded.kinds));
        for batch in loader.epoch(0, 0) {
            context.go_on()?;
            let batch = batch?;
            let (epoch, position) = (batch.position / sampler.batches(), batch.position % sampler.batches());
            let draws = sampler.batch(epoch as u64, position).into_iter().filter(|draw| draw.role == SUPPORT);
            let means = self.means(&draws.map(|draw| draw.index).collect::<Vec<_>>())?;
            let far = |row: &[f32], mean: &[f32]| -> f32 { row.iter().zip(mean).map(|(a, b)| (a - b).powi(2)).sum() };
            let rows: Vec<Vec<f32>> = self.features(&batch)?.to_vec2()?;
            let scores = rows.iter().map(|row| means.iter().map(|mean| -far(row, mean)).collect()).collect();
            scoring.add(&batch, &Tensor::new::<Vec<Vec<f32>>>(scores, &Device::Cpu)?, None)?;
            context.seen(batch.len());
        }
        Ok(scoring.outcome(&self.loaded.experiment.eval.metric))
    }
}

impl Job for Episodes<'_> {
    fn load_weights(&self, path: &Path) -> anyhow::Result<LoadReport> {
        assemble::load_file(self.loaded, self.components, &self.model, path)
    }

    /// Episodes that the images do not make are refused before the first stage trains.
    fn rehearse(&self) -> anyhow::Result<()> {
        self.sampler().map(drop)
    }

    /// Features `[N, D]`, soft labels `[N, K]` and indices `[N]` of the training images, and those that were skipped.
    fn extract(&self, interrupt: &Interrupt) -> anyhow::Result<Extracted> {
        let loader = loaders::evaluation(self.loaded, self.data, &self.data.splits.train)?;
        let (mut features, mut labels, mut indices) = (Vec::new(), Vec::new(), Vec::new());
        for batch in loader.epoch(0, 0) {
            if interrupt.is_raised() {
                return Err(Interrupted("interrupted while extracting; nothing is lost".to_owned()).into());
            }
            let batch = batch?;
            features.push(self.features(&batch)?);
            labels.push(self.soft_labels(&batch)?);
            indices.extend(batch.indices.iter().map(|&index| index as u32));
        }
        let named = |name: &str, tensor| (name.to_owned(), tensor);
        let tensors = vec![
            named("features", Tensor::cat(&features, 0)?),
            named("soft_labels", Tensor::cat(&labels, 0)?),
            named("indices", Tensor::new(indices, &Device::Cpu)?),
        ];
        Ok(Extracted { tensors, skipped: loader.skipped() })
    }

    fn take_extracted(&self, tensors: &HashMap<String, Tensor>) -> anyhow::Result<()> {
        let named = |name: &str| tensors.get(name).with_context(|| format!("the extracted tensors lack `{name}`"));
        let features: Vec<Vec<f32>> = named("features")?.to_vec2()?;
        let labels: Vec<Vec<f32>> = named("soft_labels")?.to_vec2()?;
        let indices: Vec<u32> = named("indices")?.to_vec1()?;
        let rows = features.into_iter().zip(labels);
        *self.support.borrow_mut() = indices.into_iter().map(|index| index as usize).zip(rows).collect();
        Ok(())
    }

    fn describe(&self, _: &Looked) -> anyhow::Result<String> {
        let (backbone, splits) = (&self.loaded.experiment.model.backbone, &self.data.splits);
        Ok(format!(
            "model: {backbone}, frozen\ndata: {} support, {} test images\n",
            splits.train.len(),
            splits.test.len()
        ))
    }
}
