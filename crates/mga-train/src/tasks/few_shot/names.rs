//! Names of the task that its files share.

/// The name of the task.
pub(super) const NAME: &str = "few-shot";

/// The metric of its evaluations: the mean over episodes of the share of query images that are told right.
pub(super) const ACCURACY: &str = "episode_accuracy";

/// The stage that trains a classifier of the base classes.
pub(super) const PRETRAIN: &str = "pretrain";

/// The stage that trains on episodes of the base classes.
pub(super) const META: &str = "meta";

/// The stage that evaluates episodes of the novel classes.
pub(super) const TEST: &str = "test";
