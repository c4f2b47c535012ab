//! Groups of images with some on either side of a split.

use mga_core::wording::counted;
use mga_data::dataset::Dataset;
use mga_data::{Splits, groups};
use mga_experiment::{ExperimentError, Loaded};

use crate::run_folder::RunFolder;

/// The reaction to a group of images with members on both sides of the split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TornGroups {
    /// They are an error, unless the experiment allows them.
    Refused,
    /// They are a note: of a run that was begun before they were refused, or where they are told otherwise.
    Noted,
}

impl TornGroups {
    /// Returns the reaction for the run in `folder`: a run that has already trained continues.
    #[must_use]
    pub fn of_run(folder: &RunFolder) -> Self {
        let begun = folder.last().is_file() || folder.summary().is_file();
        if begun { Self::Noted } else { Self::Refused }
    }
}

/// Why an experiment whose groups are on both sides of its split is not to be begun; `None` where none is, or where it
/// allows them.
pub(crate) fn torn_groups(loaded: &Loaded, dataset: &dyn Dataset, splits: &Splits) -> Option<ExperimentError> {
    if loaded.experiment.data.groups_may_leak {
        return None;
    }
    let what = torn_note(dataset, splits)?;
    let key = if loaded.is_set("data.fold") { "data.fold" } else { "data.groups_may_leak" };
    let way_out = "fold the table by its groups (mga data split --group COLUMN), or set data.groups_may_leak = true, which \
                   every report flags";
    Some(loaded.error(key, format!("{what}; {way_out}")))
}

/// What there is to say of groups with images on both sides of the split.
pub(crate) fn torn_note(dataset: &dyn Dataset, splits: &Splits) -> Option<String> {
    let shared = groups::shared(dataset.records(), splits);
    let first = shared.first()?;
    let others = counted(shared.len() - 1, "more group", "more groups");
    let more = if shared.len() > 1 { format!(", as well as {others}") } else { String::new() };
    Some(format!("{first}{more}: images of one group on both sides of a split flatter the test"))
}
