//! The part of a task that the experiment file depends on: its name, its settings, its predictions, and what is wrong
//! with an experiment of it.

use mga_core::metrics::Predictions;

use schemars::Schema;
use serde::Serialize;

use super::check::Check;
use super::settings::Experiment;

/// The part of a task that the experiment file depends on. How it trains is another matter.
pub trait TaskRules: Send + Sync {
    /// The name in `task = "…"`.
    fn name(&self) -> &'static str;

    /// One sentence for the schema and `mga list`.
    fn about(&self) -> &'static str;

    /// Which networks `model.backbone` can name.
    fn network(&self) -> NetworkKind;

    /// What its predictions are. The registered metrics of such predictions are computed in its evaluations, and can select
    /// a checkpoint.
    fn predictions(&self) -> Predictions;

    /// The metric that selects a checkpoint where nothing is said.
    fn default_metric(&self) -> &'static str;

    /// The settings that only tasks which name them use, tables with all that is in them. In an experiment of another task
    /// they are mistakes.
    fn own_settings(&self) -> &'static [&'static str];

    /// The tables of registered kinds, such as `method`, that this task acts on. In an experiment of a task without them they
    /// are mistakes.
    fn tables(&self) -> &'static [&'static str] {
        &["sampler"]
    }

    /// The tables of the task's own, such as `episodes`, each with the schema of its settings. In an experiment of a task
    /// without them they are mistakes. Tasks that name a table alike share its schema.
    fn own_tables(&self) -> Vec<OwnTable> {
        Vec::new()
    }

    /// The stages of a run of this task, in their order; none by default, which is a run of one stage without a name.
    fn stages(&self) -> &'static [StageRules] {
        &[]
    }

    /// Sets what this task does otherwise than the schema's defaults say. `is_written` tells whether anybody wrote a setting.
    fn defaults(&self, _experiment: &mut Experiment, _is_written: &dyn Fn(&str) -> bool, _known: &Known<'_>) {}

    /// Finds what is wrong with an experiment before its data are open.
    fn problems(&self, experiment: &Experiment, known: &Known<'_>, check: &mut Check<'_>);
}

/// A table of settings that a task defines, which is read by [`Experiment::own`].
#[derive(Debug, Clone)]
pub struct OwnTable {
    /// The table in the experiment file.
    pub table: &'static str,
    /// One sentence for the schema.
    pub about: &'static str,
    /// JSON schema of the settings ([`crate::schema_of`]).
    pub schema: Schema,
}

/// A stage of the runs of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageRules {
    /// The name in `[stages.NAME]` and `run_stages`.
    pub name: &'static str,
    /// One sentence for the schema and `mga list`.
    pub about: &'static str,
    /// The work of the stage.
    pub work: StageWork,
}

/// The work of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageWork {
    /// The model is trained, and evaluated at the end.
    Fit,
    /// Nothing is trained: named tensors are computed with the model and kept in a file, and the model is evaluated.
    Extract,
    /// Nothing is trained: the model is evaluated.
    Test,
}

/// The names that an experiment can use, as far as its task has to know them.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Components by their kind.
    pub kinds: &'a mga_registry::Registry,
}

impl<'a> Known<'a> {
    /// Returns the backbones, segmenters and published weights.
    #[must_use]
    pub fn networks(&self) -> mga_models::Networks<'a> {
        mga_models::Networks::of(self.kinds)
    }
}

/// The kinds of network that an experiment can train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkKind {
    /// A backbone, whose features a classifier or another head reads.
    Backbone,
    /// A segmentation network, which gives every pixel a class.
    Segmenter,
}
