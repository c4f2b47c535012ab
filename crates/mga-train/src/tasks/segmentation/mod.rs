//! task = "segmentation": a class for each pixel, from annotated images.

mod data;
mod evaluation;
mod fingerprint;
mod job;
mod label_maps;
mod network;
mod overview;
mod rehearsal;
mod task_data;

pub use data::AnnotatedData;
pub use network::Segmenter;

use super::{Purpose, Task, TaskData};
use mga_experiment::{Check, ClassWeights, Components, Experiment, Known, Loaded, NetworkKind, Predictions, TaskRules};

/// The task: one class a pixel.
#[derive(Debug, Clone, Copy)]
pub struct Segmentation;

impl TaskRules for Segmentation {
    fn name(&self) -> &'static str {
        "segmentation"
    }

    fn about(&self) -> &'static str {
        "One class a pixel, from the annotated images of `[data.annotations]`; `model.backbone` is a segmentation network."
    }

    fn network(&self) -> NetworkKind {
        NetworkKind::Segmenter
    }

    fn predictions(&self) -> Predictions {
        Predictions::LabelMaps
    }

    fn default_metric(&self) -> &'static str {
        "mean_iou"
    }

    fn own_settings(&self) -> &'static [&'static str] {
        &["data.annotations", "objective.name", "objective.dice_weight", "objective.auxiliary_weight"]
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

    fn problems(&self, experiment: &Experiment, known: &Known<'_>, check: &mut Check<'_>) {
        let Some(annotations) = &experiment.data.annotations else {
            let message = "missing; segmentation learns from annotated images: [data.annotations] says where they are";
            check.error_at("data.annotations", message);
            return;
        };
        let classes = annotations.classes.len();
        if let Some(ClassWeights::Each(weights)) = &experiment.objective.class_weights
            && weights.len() != classes
        {
            let message = format!("{} weights for the {classes} classes of data.annotations.classes", weights.len());
            check.error_at("objective.class_weights", message);
        }
        let attention = known.networks().attention(&experiment.model.attention.name);
        for (set, key) in [
            (experiment.model.mask_guidance, "model.mask_guidance"),
            (experiment.model.input.needs_masks(), "model.input"),
            (attention.is_none_or(|attention| attention.changes_features()), "model.attention"),
            (experiment.model.freeze_through != "none", "model.freeze_through"),
        ] {
            if set {
                check.error_at(key, "belongs to task = \"classification\"; leave it out");
            }
        }
    }
}

impl Task for Segmentation {
    fn open(&self, loaded: &Loaded, components: &Components, purpose: Purpose) -> anyhow::Result<Box<dyn TaskData>> {
        Ok(Box::new(data::open(loaded, components, purpose)?))
    }

    fn counted(&self) -> &'static str {
        "pixels"
    }
}
