//! task = "classification": one label an image, by cross entropy, with attention that masks can guide.

mod agreement;
mod checked;
mod chosen;
mod data;
mod evaluation;
pub mod guidance;
mod job;
mod of_checkpoint;
mod rehearsal;

use candle_core::Device;
pub use evaluation::{Evaluated, NOT_FINITE, Scoring, evaluate};
pub use job::Classifier;
pub use of_checkpoint::of_checkpoint;

use super::{Purpose, Task, TaskData};
use crate::data_set::{self, OpenData};
use crate::methods::Methods;
use mga_experiment::{Better, Check, Components, Experiment, Loaded, Metric, NetworkKind, TaskRules, Unit};

/// The task: one label an image.
#[derive(Debug, Clone, Copy)]
pub struct Classification;

const fn share(name: &'static str, about: &'static str) -> Metric {
    Metric { name, about, unit: Unit::Percent, better: Better::Higher }
}

/// The numbers that a classifier is scored by.
pub const METRICS: &[Metric] = &[
    share("top1", "Share of images whose first guess is right."),
    share("top5", "Share of images whose label is among the first five guesses."),
    share("balanced_accuracy", "Mean over the classes of the share that is right."),
    share("macro_f1", "Mean over the classes of F1."),
    Metric {
        name: "cross_entropy",
        about: "Mean cross entropy; lower is better.",
        unit: Unit::Number,
        better: Better::Lower,
    },
];

impl TaskRules for Classification {
    fn name(&self) -> &'static str {
        "classification"
    }

    fn about(&self) -> &'static str {
        "One label an image."
    }

    fn network(&self) -> NetworkKind {
        NetworkKind::Backbone
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn own_settings(&self) -> &'static [&'static str] {
        &[
            "data.masks.empty",
            "data.masks.missing",
            "model.residual_weights",
            "model.freeze_norm",
            "model.dropout",
            "objective.mask_weight",
            "objective.label_smoothing",
            "objective.weigh_classes",
            "eval.reference_masks",
        ]
    }

    /// The method has defaults of its own. Some backbones freeze their early stages where they start from weights and nothing is said.
    fn defaults(&self, experiment: &mut Experiment, is_written: &dyn Fn(&str) -> bool, components: &Components) {
        let method = experiment.named("method").and_then(|(name, _)| components.kinds.get::<Methods>(name));
        if let Some(method) = method {
            method.item.defaults(experiment, is_written);
        }
        let model = &mut experiment.model;
        let own = components.registry.backbone(&model.backbone).and_then(|entry| entry.freeze_through);
        if let Some(stage) = own.filter(|_| model.weights != "none" && !is_written("model.freeze_through")) {
            model.freeze_through = stage.to_owned();
        }
    }

    fn problems(&self, experiment: &Experiment, components: &Components, check: &mut Check<'_>) {
        let method = experiment.named("method").and_then(|(name, _)| components.kinds.get::<Methods>(name));
        let found = method.map(|method| method.item.problems(experiment)).unwrap_or_default();
        found.into_iter().for_each(|(key, message)| check.error_at(key, message));
    }
}

impl Task for Classification {
    fn open(&self, loaded: &Loaded, components: &Components, purpose: Purpose) -> anyhow::Result<Box<dyn TaskData>> {
        Ok(Box::new(match purpose {
            Purpose::Train(torn) => data_set::open(loaded, components, torn)?,
            Purpose::Evaluate => data_set::open_to_evaluate(loaded, components)?,
        }))
    }
}

impl Classifier<'_> {
    /// The classifier of an experiment, drawn from its seed, on its data.
    ///
    /// # Errors
    /// Settings that the model refuses, at the place where they were written; class weights that do not fit the classes.
    pub fn new<'a>(
        loaded: &'a Loaded,
        components: &'a Components,
        data: &'a OpenData,
        device: &Device,
        trains: bool,
    ) -> anyhow::Result<Classifier<'a>> {
        job::build(loaded, components, data, device, trains)
    }
}
