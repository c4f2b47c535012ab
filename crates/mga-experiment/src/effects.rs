//! The effect of each setting of the experiment file, one line per setting, those of tables of masks in
//! [`super::mask_effects`]; a test fails for a setting that no line names. So what an experiment sets for nothing can be said ([`super::idle`]).
//!
//! A component tells itself which of its own settings act ([`mga_registry::Condition`]), and a task which settings it alone
//! uses ([`super::TaskRules::own_settings`], [`super::TaskRules::tables`]).
//!
//! A line holds for its key and, unless they have lines of their own, for all keys inside it.

use mga_core::loss::{ClassLoss, PixelObjectives};
use mga_core::metrics::Predictions;
use mga_core::optim::ScheduleShape;
use mga_data::Pipeline;
use mga_data::class_split::ClassSplitSettings;
use mga_data::sampler::Samplers;

use super::data_in_advance::{may_have_validation, reads_root, takes_validation};
use super::evaluation::SelectOn;
use super::settings::Experiment;
use crate::Components;

/// What has to hold for a setting to act.
pub(super) struct Need {
    /// Whether it does.
    pub(super) holds: fn(&Experiment, &Components) -> bool,
    /// The settings that decide it.
    pub(super) by: &'static [&'static str],
    /// The same in words, behind "counts only with".
    pub(super) words: &'static str,
    /// How much is lost where it does not hold.
    pub(super) loss: Loss,
}

/// What is lost where a setting does not act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// The value; where it is the one that leaving the setting out gives, nothing.
    Value,
    /// No number changes, only time, memory or what is looked at: a warning at most.
    Cost,
}

pub(super) const ALWAYS: &[Need] = &[];

const fn value(holds: fn(&Experiment, &Components) -> bool, by: &'static [&'static str], words: &'static str) -> Need {
    Need { holds, by, words, loss: Loss::Value }
}

const AUXILIARY_HEAD: Need = value(
    |e, c| c.networks().network(&e.model.backbone).is_some_and(|network| network.has_auxiliary_head()),
    &["model.backbone"],
    "a network that has an auxiliary head, such as deeplabv3_resnet50",
);
const RESIDUAL: Need =
    value(residual, &["model.attention"], "model.attention = \"residual\" without weights of its own");
const MAPPED: Need = value(
    |e, _| e.model.mask_guidance || e.model.attention.name != "none",
    &["model.attention", "model.mask_guidance"],
    "an attention other than \"none\", or model.mask_guidance = true",
);
const DROPOUT: Need = value(
    |e, c| match c.networks().head_of(&e.model.backbone, e.model.head.as_ref()) {
        Ok((_, head)) => head.has_dropout(),
        Err(_) => true,
    },
    &["model.head", "model.backbone"],
    "a head that has a dropout, such as \"linear\"",
);
const GUIDED: Need = value(|e, _| e.model.mask_guidance, &["model.mask_guidance"], "model.mask_guidance = true");
const MASK_LOSS: Need = Need { holds: |e, _| e.model.mask_guidance || e.objective.mask_weight == 0.0, ..GUIDED };
const SMOOTHED: Need = value(
    |e, c| objective(e, c, |loss| loss.takes_label_smoothing()),
    &["objective.name"],
    "a loss that takes it, such as objective.name = \"cross-entropy\"",
);
const WEIGHED: Need = value(
    |e, c| match c.predictions(&e.task) {
        Predictions::LabelMaps => e.objective.pixel_loss(&c.kinds).map_or(true, |loss| loss.takes_class_weights()),
        Predictions::Scores | Predictions::Task(_) => objective(e, c, |loss| loss.takes_class_weights()),
    },
    &["objective.name"],
    "a loss that takes them, such as objective.name = \"cross-entropy\"",
);
const BESIDE_DICE: Need = value(
    |e, _| e.objective.name != PixelObjectives::DICE,
    &["objective.name"],
    "another objective.name: the Dice loss is the objective itself",
);
const WEIGHTS_OF_CLASSES: Need =
    value(|e, _| e.objective.class_weights.is_some(), &["objective.class_weights"], "objective.class_weights");
const FROM_WEIGHTS: Need = value(|e, _| e.model.weights != "none", &["model.weights"], "model.weights");
const FROZEN: Need = value(|e, _| e.model.freeze_through != "none", &["model.freeze_through"], "model.freeze_through");
const RECOMPUTES: Need = Need {
    holds: |e, c| c.networks().backbone(&e.model.backbone).is_some_and(|backbone| backbone.recomputes()),
    by: &["model.backbone"],
    words: "a backbone that can compute again, such as a DenseNet",
    loss: Loss::Cost,
};
const FILES: Need = value(reads_root, &["data.dataset"], "a data set that reads files in a folder");
const EACH_ONCE: Need = Need {
    holds: |e, _| e.named("sampler").is_none(),
    by: &[],
    words: "every image once an epoch: `sampler` chooses the batches itself",
    loss: Loss::Cost,
};
const BATCHED: Need = Need {
    holds: |e, c| {
        let sampler = e.named("sampler").and_then(|(name, _)| c.kinds.get::<Samplers>(name));
        sampler.is_none_or(|sampler| sampler.item.uses_batch_size())
    },
    by: &[],
    words: "batches of any number of images: `sampler` says how many each has",
    loss: Loss::Cost,
};
const CACHED: Need = Need {
    holds: |e, _| !e.data.cache.is_none(),
    by: &["data.cache"],
    words: "data.cache = \"memory\" or \"disk\"",
    loss: Loss::Cost,
};
const RESIZES: Need = value(
    |e, c| {
        let lists = [&e.data.train.transforms, &e.data.eval.transforms];
        lists.into_iter().any(|list| Pipeline::read(list, &c.kinds).is_ok_and(|pipeline| pipeline.resamples()))
    },
    &["data.train.transforms", "data.eval.transforms"],
    "a transform that resizes",
);
const HELD_OUT: Need = value(
    |e, _| takes_validation(e),
    &["data.validation.fraction", "data.validation.per_class"],
    "data.validation.fraction or per_class",
);
const SPLIT: Need = value(|e, _| e.data.split.test.is_some(), &["data.split.test"], "data.split.test");
const CLASSES_DRAWN: Need = value(
    |e, _| e.data.class_split.as_ref().is_some_and(ClassSplitSettings::draws),
    &["data.class_split.base", "data.class_split.validation", "data.class_split.novel"],
    "a number of classes to draw in data.class_split",
);
const ANNOTATED_BY_FILES: Need = value(
    |e, _| annotations(e) != "masks",
    &["data.annotations.source"],
    "data.annotations.source = \"labelme\" or \"index-png\"",
);
const ANNOTATED_BY_MASKS: Need =
    value(|e, _| annotations(e) == "masks", &["data.annotations.source"], "data.annotations.source = \"masks\"");
const LABELME: Need =
    value(|e, _| annotations(e) == "labelme", &["data.annotations.source"], "data.annotations.source = \"labelme\"");
const FALLING: Need = value(
    |e, c| shape(e, c, |shape| shape.falls()),
    &["schedule.name"],
    "a schedule that falls: \"constant\" does not",
);
const STEPS: Need = Need {
    holds: |e, c| shape(e, c, |shape| shape.changes_within(e.schedule.epochs)),
    by: &["schedule.epochs", "schedule.every"],
    words: "more than schedule.every epochs",
    loss: Loss::Cost,
};
const SELECTED: Need = Need {
    holds: |e, c| e.eval.select_on != SelectOn::Last || may_have_validation(e, c),
    by: &["eval.select_on", "data.validation.fraction", "data.validation.per_class"],
    words: "images to evaluate while training: set data.validation.fraction, or eval.select_on",
    loss: Loss::Cost,
};

/// Whether `model.residual_weights` are used.
fn residual(experiment: &Experiment, components: &Components) -> bool {
    let attention = &experiment.model.attention;
    let uses = components.networks().attention(&attention.name).is_some_and(|kind| kind.uses_residual_weights());
    uses && !attention.settings.contains_key("weights")
}

/// Whether that holds for the loss of class scores; of settings that make none, what is wrong is told.
fn objective(experiment: &Experiment, components: &Components, holds: impl Fn(&dyn ClassLoss) -> bool) -> bool {
    experiment.objective.loss(&components.kinds).map_or(true, |loss| holds(loss.as_ref()))
}

/// Whether that holds for the schedule; of settings that make none, what is wrong is told.
fn shape(experiment: &Experiment, components: &Components, holds: impl Fn(&dyn ScheduleShape) -> bool) -> bool {
    experiment.schedule.shape(&components.kinds).map_or(true, |shape| holds(shape.as_ref()))
}

fn annotations(experiment: &Experiment) -> &'static str {
    use mga_data::annotations::AnnotationKind;
    match experiment.data.annotations.as_ref().map(|annotations| annotations.source) {
        Some(AnnotationKind::Labelme) => "labelme",
        Some(AnnotationKind::IndexPng) => "index-png",
        Some(AnnotationKind::Masks) | None => "masks",
    }
}

/// Every setting and what it needs to act; the order is that in which needs are told.
pub(super) const SETTINGS: &[(&str, &[Need])] = &[
    ("name", ALWAYS),
    ("description", ALWAYS),
    ("task", ALWAYS),
    ("seed", ALWAYS),
    ("device", ALWAYS),
    ("threads", ALWAYS),
    ("data.dataset", ALWAYS),
    ("data.root", &[FILES]),
    ("data.on_error", ALWAYS),
    ("data.verify", ALWAYS),
    ("data.batch_size", &[BATCHED]),
    ("data.shuffle", &[EACH_ONCE]),
    ("data.drop_last", &[EACH_ONCE]),
    ("data.mean", ALWAYS),
    ("data.std", ALWAYS),
    ("data.resize_rounding", &[RESIZES]),
    ("data.white_point", ALWAYS),
    ("data.workers", ALWAYS),
    ("data.prefetch", ALWAYS),
    ("data.cache", ALWAYS),
    ("data.cache_limit", &[CACHED]),
    ("data.validation.fraction", ALWAYS),
    ("data.validation.per_class", ALWAYS),
    ("data.validation.seed", &[HELD_OUT]),
    ("data.split.test", ALWAYS),
    ("data.split.seed", &[SPLIT]),
    ("data.class_split", ALWAYS),
    ("data.class_split.seed", &[CLASSES_DRAWN]),
    ("data.groups_may_leak", ALWAYS),
    ("data.annotations", ALWAYS),
    ("data.annotations.source", ALWAYS),
    ("data.annotations.root", &[ANNOTATED_BY_FILES]),
    ("data.annotations.classes", ALWAYS),
    ("data.annotations.threshold", &[ANNOTATED_BY_MASKS]),
    ("data.annotations.line_width", &[LABELME]),
    ("data.annotations.region", &[LABELME]),
    ("data.annotations.crop", ALWAYS),
    ("data.annotations.orientation", &[ANNOTATED_BY_FILES]),
    ("data.train.transforms", ALWAYS),
    ("data.eval.transforms", ALWAYS),
    ("data.eval.batch_size", ALWAYS),
    ("model.backbone", ALWAYS),
    ("model.weights", ALWAYS),
    ("model.strict", &[FROM_WEIGHTS]),
    // Segmentation refuses what it cannot do of these.
    ("model.input", ALWAYS),
    ("model.attention", ALWAYS),
    ("model.attention.map", &[MAPPED]),
    ("model.mask_guidance", ALWAYS),
    ("model.freeze_through", ALWAYS),
    ("model.residual_weights", &[RESIDUAL]),
    ("model.freeze_norm", &[FROZEN]),
    ("model.head", ALWAYS),
    ("model.dropout", &[DROPOUT]),
    ("objective.name", ALWAYS),
    ("objective.gamma", ALWAYS),
    ("objective.mask_weight", &[MASK_LOSS]),
    ("objective.label_smoothing", &[SMOOTHED]),
    // Whether those of a classifier count is told where it is settled.
    ("objective.class_weights", &[WEIGHED]),
    ("objective.weigh_classes", &[WEIGHTS_OF_CLASSES]),
    ("objective.dice_weight", &[BESIDE_DICE]),
    ("objective.auxiliary_weight", &[AUXILIARY_HEAD]),
    ("optimiser.name", ALWAYS),
    ("optimiser.learning_rate", ALWAYS),
    ("optimiser.momentum", ALWAYS),
    ("optimiser.nesterov", ALWAYS),
    ("optimiser.weight_decay", ALWAYS),
    ("optimiser.beta1", ALWAYS),
    ("optimiser.beta2", ALWAYS),
    ("optimiser.eps", ALWAYS),
    ("optimiser.learning_rates", ALWAYS),
    ("schedule.name", ALWAYS),
    ("schedule.epochs", ALWAYS),
    ("schedule.warmup_epochs", ALWAYS),
    ("schedule.min_learning_rate", &[FALLING]),
    ("schedule.every", &[STEPS]),
    ("schedule.gamma", &[STEPS]),
    ("schedule.power", ALWAYS),
    ("train.accumulate", ALWAYS),
    ("train.clip_norm", ALWAYS),
    // With select_on = "last" it is a contradiction, and refused as one.
    ("train.early_stopping", ALWAYS),
    ("train.recompute", &[RECOMPUTES]),
    ("train.checkpoint_every", ALWAYS),
    ("train.log_every", ALWAYS),
    // Scheduled for nothing where there is nothing to evaluate: no loss.
    ("eval.every", ALWAYS),
    ("eval.select_on", ALWAYS),
    ("eval.metric", &[SELECTED]),
    ("eval.output", ALWAYS),
    ("eval.reference_masks", ALWAYS),
];
