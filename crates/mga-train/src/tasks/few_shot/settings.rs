//! `[episodes]`: the tasks of a few labelled images that are trained on, selected by and tested on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The episodes that are trained on, selected by and tested on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EpisodesTable {
    /// Classes of an episode.
    #[schemars(range(min = 2))]
    pub(super) way: usize,
    /// Support images of each class, which carry its label.
    #[schemars(range(min = 1))]
    pub(super) shot: usize,
    /// Query images of each class, which are to be told.
    #[schemars(range(min = 1))]
    pub(super) query: usize,
    /// Classes of an episode of validation images, where they are fewer; left out: as many as `way`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2))]
    pub(super) validation_way: Option<usize>,
    /// Classes of an episode of test images, where they are fewer; left out: as many as `way`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2))]
    pub(super) test_way: Option<usize>,
    /// Episodes of an epoch of the stage `meta`.
    #[schemars(range(min = 1))]
    pub(super) train: usize,
    /// Episodes of an evaluation of validation images, the same after every epoch.
    #[schemars(range(min = 1))]
    pub(super) validation: usize,
    /// Episodes of the evaluation of test images in the stage `test`. The stages before it evaluate `validation` of them.
    #[schemars(range(min = 1))]
    pub(super) test: usize,
}

impl EpisodesTable {
    /// The table in the experiment file.
    pub(super) const TABLE: &'static str = "episodes";
}

impl Default for EpisodesTable {
    /// Those of DeepEMD: 5-way, 1-shot, 15 queries; 50 tasks an epoch, 100 to validate, 5000 to test.
    fn default() -> Self {
        let (validation_way, test_way) = (None, None);
        Self { way: 5, shot: 1, query: 15, validation_way, test_way, train: 50, validation: 100, test: 5000 }
    }
}
