//! The part of a task that the experiment file depends on: its name, its settings, its predictions, and what is wrong
//! with an experiment of it.

use mga_core::metrics::Predictions;

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

    /// Sets what this task does otherwise than the schema's defaults say. `is_written` tells whether anybody wrote a setting.
    fn defaults(&self, _experiment: &mut Experiment, _is_written: &dyn Fn(&str) -> bool, _known: &Known<'_>) {}

    /// Finds what is wrong with an experiment before its data are open.
    fn problems(&self, experiment: &Experiment, known: &Known<'_>, check: &mut Check<'_>);
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
