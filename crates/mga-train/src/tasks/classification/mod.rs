//! task = "classification": one label an image, by cross entropy, with attention that masks can guide.

mod agreement;
mod checked;
mod chosen;
mod data;
mod evaluation;
mod fingerprint;
pub mod guidance;
mod job;
mod objective;
mod of_checkpoint;
mod rehearsal;
mod verification;

pub use evaluation::{Evaluated, Scoring};
pub use job::Classifier;
pub use of_checkpoint::of_checkpoint;

use self::chosen::chosen;
use super::{Purpose, Task, TaskData};
use crate::data_set;
use crate::methods::Methods;
use mga_experiment::{Check, Components, Experiment, Known, Loaded, NetworkKind, Predictions, TaskRules};

/// The task: one label an image.
#[derive(Debug, Clone, Copy)]
pub struct Classification;

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

    fn predictions(&self) -> Predictions {
        Predictions::Scores
    }

    fn default_metric(&self) -> &'static str {
        "top1"
    }

    fn own_settings(&self) -> &'static [&'static str] {
        &[
            "data.masks.empty",
            "data.masks.missing",
            "model.residual_weights",
            "model.freeze_norm",
            "model.dropout",
            "model.head",
            "objective.name",
            "objective.gamma",
            "objective.mask_weight",
            "objective.label_smoothing",
            "objective.weigh_classes",
            "eval.reference_masks",
            "eval.output",
        ]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["method", "sampler"]
    }

    /// The method has defaults of its own. Some backbones freeze their early stages where they start from weights and nothing
    /// is said.
    fn defaults(&self, experiment: &mut Experiment, is_written: &dyn Fn(&str) -> bool, known: &Known<'_>) {
        let method = experiment.named("method").and_then(|(name, _)| known.kinds.get::<Methods>(name));
        if let Some(method) = method {
            method.item.defaults(experiment, is_written);
        }
        // The method that is meant without the table is the same with it, and so is the run's identity.
        if experiment.named("method").is_some_and(|named| chosen::is_default(experiment, named, known.kinds)) {
            experiment.tables.shift_remove("method");
        }
        let model = &mut experiment.model;
        let own = known.networks().backbone(&model.backbone).and_then(|backbone| backbone.freeze_through());
        if let Some(stage) = own.filter(|_| model.weights != "none" && !is_written("model.freeze_through")) {
            model.freeze_through = stage.to_owned();
        }
    }

    fn problems(&self, experiment: &Experiment, known: &Known<'_>, check: &mut Check<'_>) {
        let named = experiment.named("method").and_then(|(name, _)| known.kinds.get::<Methods>(name));
        let found = named.map(|method| method.item.problems(experiment)).unwrap_or_default();
        found.into_iter().for_each(|(key, message)| check.error_at(key, message));
        let (name, settings) = chosen(experiment);
        let outputs = known.kinds.get::<Methods>(name).map(|method| method.item.outputs(settings)).unwrap_or_default();
        let output = experiment.eval.output.as_str();
        if check.sound(&["eval.output", "method"]) && !outputs.is_empty() && !outputs.contains(&output) {
            let message =
                format!("method \"{name}\" predicts no scores `{output}`; expected one of {}", outputs.join(", "));
            check.error_at("eval.output", message);
        }
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
