//! A method: how the classifier is trained. This one makes two updates a batch.
//!
//! 1. The image and the same turned by half a turn, by the objective of the experiment.
//! 2. The view with two patches swapped, by the objective and by a head of its own that tells which two they were.
//!
//! The head has a learning rate of its own. What is evaluated is a teacher, an average of the weights: by its scores of an
//! image or, with `eval.output = "mirrored"`, by those of the image and its mirror image together.

use std::sync::Arc;

use anyhow::Context;
use candle_core::{DType, Tensor};
use mga_core::loss::{ClassObjective, cross_entropy};
use mga_core::nn::Linear;
use mga_core::ops;
use mga_core::optim::{OptimiserSettings, SgdSettings};
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};
use mga_data::Batch;
use mga_experiment::{Evaluation, Experiment};
use mga_models::{Input, MgaModel};
use mga_registry::Entry;
use mga_train::methods::{Method, MethodAtWork, MethodOpening, Methods, Predicted, targets};
use mga_train::network_input::network_input;
use mga_train::runners::learner::{ExtraStore, JobState};
use mga_train::runners::loss_parts::LossPart;
use mga_train::runners::step::StepContext;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::teacher::Teacher;
use crate::transform::{PAIR, SWAPPED, TURNED, pairs};

/// The name of the scores of an image and its mirror image together, which `eval.output` can name.
const MIRRORED: &str = "mirrored";

/// Returns the method that an experiment selects with `[method] name = "swapped-patches"`.
pub fn entry() -> Entry<Methods> {
    let about = "two updates a batch, the second on swapped patches, which a head tells; a teacher is evaluated";
    Entry::<Methods>::new("swapped-patches", about, Arc::new(SwappedPatches))
        .with_settings(schemars::schema_for!(Settings))
}

/// The settings, which stand beside `name` in `[method]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
struct Settings {
    /// Patches along each side of the image.
    #[schemars(range(min = 2, max = 8))]
    grid: usize,
    /// Step size of the head at the start of the schedule.
    #[schemars(range(min = 0.0))]
    head_learning_rate: f64,
    /// Share of itself that the teacher keeps at every update.
    #[schemars(range(min = 0.0, max = 1.0))]
    teacher_momentum: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { grid: 2, head_learning_rate: 0.05, teacher_momentum: 0.9 }
    }
}

struct SwappedPatches;

impl Method for SwappedPatches {
    /// Nothing is guided by masks unless somebody says so.
    fn defaults(&self, experiment: &mut Experiment, is_written: &dyn Fn(&str) -> bool) {
        if !is_written("model.mask_guidance") {
            experiment.model.mask_guidance = false;
        }
    }

    fn problems(&self, experiment: &Experiment) -> Vec<(&'static str, String)> {
        let wrong = [
            (experiment.model.mask_guidance, "model.mask_guidance", "the method learns from no masks; leave it out"),
            (experiment.model.input != Input::Image, "model.input", "the method's views have no masks; leave it out"),
            (experiment.train.accumulate > 1, "train.accumulate", "the method updates twice a batch; leave it out"),
        ];
        wrong.into_iter().filter(|(wrong, ..)| *wrong).map(|(_, key, what)| (key, what.to_owned())).collect()
    }

    /// The views that the method learns from.
    fn transforms(&self, settings: &serde_json::Value) -> Vec<serde_json::Value> {
        let grid = settings.get("grid").cloned().unwrap_or_else(|| json!(Settings::default().grid));
        vec![json!({ "op": "swap-patches", "grid": grid })]
    }

    /// Scores of the image, and of the image and its mirror image together.
    fn outputs(&self, _: &serde_json::Value) -> Vec<&'static str> {
        vec![Evaluation::LOGITS, MIRRORED]
    }

    fn begin(&self, opening: &MethodOpening<'_>) -> anyhow::Result<Box<dyn MethodAtWork>> {
        let settings: Settings = serde_json::from_value(opening.settings.clone()).context("settings of the method")?;
        let (model, seed) = (opening.model, opening.loaded.experiment.seed);
        let device = model.store().device();
        let mut store = ParameterStore::new(seed, DType::F32, device);
        let channels = model.backbone().stages().last().map_or(0, |stage| stage.channels);
        let head = Linear::new(store.root().pp("pair"), channels, pairs(settings.grid))?;
        let sgd = SgdSettings { learning_rate: settings.head_learning_rate, ..SgdSettings::default() };
        let optimiser = OptimiserSettings::of("sgd", &sgd)?;
        let teacher = Teacher::new(settings.teacher_momentum, device);
        Ok(Box::new(AtWork { objective: Arc::clone(&opening.objective), store, head, optimiser, teacher }))
    }
}

/// The method, working on one classifier.
struct AtWork {
    objective: Arc<ClassObjective>,
    /// The head's parameters, which are not the classifier's: who loads the classifier needs none of them.
    store: ParameterStore,
    head: Linear,
    optimiser: OptimiserSettings,
    teacher: Teacher,
}

impl MethodAtWork for AtWork {
    /// The loss of the first update.
    fn loss(&self, model: &MgaModel, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let images = tape.constant(&network_input(model, batch)?)?;
        let images = model.forward(tape, images)?.logits;
        let turned = view(model, tape, batch, TURNED)?;
        let turned = model.forward(tape, turned)?.logits;
        let targets = targets(batch)?;
        let of_images = self.objective.forward(tape, images, targets)?;
        let of_turned = self.objective.forward(tape, turned, targets)?;
        let total = ops::scaled_sum(tape, &[(of_images.clone(), 0.5), (of_turned.clone(), 0.5)])?;
        Ok((total, vec![part(self.objective.loss.key(), of_images), part("turned_loss", of_turned)]))
    }

    fn step(&self, model: &MgaModel, batch: &Batch, context: &mut StepContext<'_>) -> anyhow::Result<()> {
        let mut tape = context.tape();
        let (loss, parts) = self.loss(model, &mut tape, batch)?;
        context.backward(tape, &loss, parts)?;
        context.update()?;
        let mut tape = context.tape();
        let (loss, parts) = self.swapped_loss(model, &mut tape, batch)?;
        context.backward(tape, &loss, parts)?;
        context.update()?;
        self.after_update(model)
    }

    fn predict(&self, model: &MgaModel, tape: &mut Tape, batch: &Batch) -> anyhow::Result<Predicted> {
        let images = network_input(model, batch)?;
        let mirrored = tape.constant(&images.flip(&[3])?)?;
        let images = tape.constant(&images)?;
        let own = model.forward(tape, images)?;
        let of_mirrored = model.forward(tape, mirrored)?.logits;
        let mean = ops::scaled_sum(tape, &[(own.logits.clone(), 0.5), (of_mirrored, 0.5)])?;
        Ok(Predicted { scores: vec![(Evaluation::LOGITS, own.logits), (MIRRORED, mean)], attention: own.attention })
    }

    fn after_update(&self, model: &MgaModel) -> anyhow::Result<()> {
        self.teacher.follow(model.store())
    }

    fn evaluation_begins(&self, model: &MgaModel) -> anyhow::Result<()> {
        self.teacher.take_place(model.store())
    }

    fn evaluation_ends(&self, model: &MgaModel) -> anyhow::Result<()> {
        self.teacher.give_place(model.store())
    }

    fn stores(&self) -> Vec<ExtraStore<'_>> {
        vec![ExtraStore { name: "head", store: &self.store, optimiser: &self.optimiser }]
    }

    fn state(&self) -> anyhow::Result<JobState> {
        Ok(JobState { tensors: self.teacher.tensors(), ..JobState::default() })
    }

    fn load_state(&self, state: JobState) -> anyhow::Result<()> {
        self.teacher.load(state.tensors)
    }
}

impl AtWork {
    /// The loss of the second update.
    fn swapped_loss(&self, model: &MgaModel, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let images = view(model, tape, batch, SWAPPED)?;
        let features = model.features(tape, images)?;
        let logits = model.classify(tape, features.clone())?.logits;
        let pooled = ops::adaptive_avg_pool2d(tape, features.into_last()?, (1, 1))?;
        let pooled = ops::flatten(tape, pooled)?;
        let told = self.head.forward(tape, pooled)?;
        let of_classes = self.objective.forward(tape, logits, targets(batch)?)?;
        let of_pairs = cross_entropy(tape, told, &pairs_of(batch)?, 0.0)?;
        let total = ops::scaled_sum(tape, &[(of_classes.clone(), 1.0), (of_pairs.clone(), 1.0)])?;
        Ok((total, vec![part("swapped_loss", of_classes), part("pair_cross_entropy", of_pairs)]))
    }
}

fn part(name: &'static str, value: Value) -> LossPart {
    LossPart { name, value: Some(value), count: None }
}

/// A view of the batch's images, `[N, 3, H, W]`, on the model's device.
fn view(model: &MgaModel, tape: &mut Tape, batch: &Batch, name: &str) -> anyhow::Result<Value> {
    let view: &Tensor = batch.tensors.get(name).with_context(|| format!("the batch has no view `{name}`"))?;
    Ok(tape.constant(&view.to_device(model.store().device())?)?)
}

/// The pairs of patches that were swapped, image by image.
fn pairs_of(batch: &Batch) -> anyhow::Result<Vec<u32>> {
    let pair = |record: &serde_json::Map<String, serde_json::Value>| {
        let pair = record.get(PAIR).and_then(serde_json::Value::as_u64).context("an image without swapped patches")?;
        Ok(u32::try_from(pair)?)
    };
    batch.records.iter().map(pair).collect()
}
