//! task = "few-shot": classes that were never trained are told apart by a few labelled images of each.
//!
//! A backbone is pre-trained as a classifier of the base classes, meta-trained on episodes of them, and tested on episodes of
//! novel classes. An episode draws some classes, of each some support images that are labelled and some query images to tell.

mod cache;
mod data;
mod encoder;
mod episode_scores;
mod episodes;
mod evaluation;
mod head;
mod heads;
mod meta;
mod names;
mod opened;
mod outcome;
mod pictures;
mod pretraining;
mod rehearsal;
mod settings;

use mga_core::metrics::{Better, Compute, Metric, Metrics, Unit};
use mga_experiment::{
    Check, Components, Experiment, Known, Loaded, NetworkKind, OwnTable, Predictions, StageRules, StageWork, TaskRules,
    schema_of,
};
use mga_registry::Entry;

pub use self::head::{Episode, EpisodeHead, EpisodeHeads};
use self::names::{ACCURACY, META, NAME, PRETRAIN, TEST};
use self::settings::EpisodesTable;
use super::{Purpose, Task, TaskData};

/// The stages, in their order.
const STAGES: &[StageRules] = &[
    StageRules { name: PRETRAIN, about: "trains a classifier of the base classes", work: StageWork::Fit },
    StageRules { name: META, about: "trains on episodes of the base classes", work: StageWork::Fit },
    StageRules { name: TEST, about: "evaluates episodes of the novel classes", work: StageWork::Test },
];

/// The task: classes of a few labelled images each.
#[derive(Debug, Clone, Copy)]
pub struct FewShot;

/// Adds what an experiment of this task can name.
pub(crate) fn register(mut components: Components) -> Components {
    heads::builtin().into_iter().for_each(|head| components.kinds.add(head));
    let about = "Mean over episodes of the share of query images that are told right.";
    let metric = Metric { unit: Unit::Percent, better: Better::Higher, compute: Compute::Task(NAME) };
    components.kinds.add(Entry::<Metrics>::new(ACCURACY, about, std::sync::Arc::new(metric)));
    let about = "How the query images of an episode are told by its support images; left out: \"deepemd\".";
    components.with_table::<EpisodeHeads>(about)
}

impl TaskRules for FewShot {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "Classes that were never trained, told apart by a few labelled images of each."
    }

    fn network(&self) -> NetworkKind {
        NetworkKind::Backbone
    }

    fn predictions(&self) -> Predictions {
        Predictions::Task(NAME)
    }

    fn default_metric(&self) -> &'static str {
        ACCURACY
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
        ]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["method", "sampler", "episode_head", "transport"]
    }

    fn own_tables(&self) -> Vec<OwnTable> {
        let about = "The episodes that are trained on, selected by and tested on.";
        vec![OwnTable { table: EpisodesTable::TABLE, about, schema: schema_of::<EpisodesTable>() }]
    }

    fn stages(&self) -> &'static [StageRules] {
        STAGES
    }

    /// Few-shot learning knows neither attention nor masks, unless an experiment says otherwise.
    fn defaults(&self, experiment: &mut Experiment, is_written: &dyn Fn(&str) -> bool, _: &Known<'_>) {
        if !is_written("model.mask_guidance") {
            experiment.model.mask_guidance = false;
        }
        if !is_written("model.attention") {
            experiment.model.attention = "none".into();
        }
    }

    fn problems(&self, experiment: &Experiment, known: &Known<'_>, check: &mut Check<'_>) {
        head::problems(experiment, known, check);
        if experiment.stage() != Some(PRETRAIN) && experiment.named("sampler").is_some() {
            let message = "only the stage `pretrain` takes batches of a sampler; the others draw episodes ([episodes])";
            check.error_at("sampler", message);
        }
    }
}

impl Task for FewShot {
    fn open(&self, loaded: &Loaded, components: &Components, purpose: Purpose) -> anyhow::Result<Box<dyn TaskData>> {
        opened::open(loaded, components, purpose)
    }

    fn counted(&self) -> &'static str {
        "query images of test episodes"
    }
}
