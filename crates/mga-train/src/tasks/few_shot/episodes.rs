//! The episodes of each part of the data: a function of the experiment's seed alone, so that every arm of a sweep sees the
//! same.

use mga_data::dataset::Split;
use mga_data::samplers::episodes::{EpisodeSettings, Episodes};
use mga_experiment::{ExperimentError, Loaded};

use super::names::TEST;
use super::settings::EpisodesTable;
use crate::data_set::OpenData;

/// Returns the episodes of a part: those of an epoch of training, or of an evaluation.
///
/// # Errors
/// Classes that are too few or have too few images, all of them.
pub(super) fn of_part(loaded: &Loaded, data: &OpenData, part: Split) -> anyhow::Result<Episodes> {
    let table: EpisodesTable = loaded.experiment.own(EpisodesTable::TABLE)?;
    let tests = loaded.experiment.stage() == Some(TEST);
    let (way, tasks, indices) = match part {
        Split::Train => (table.way, table.train, &data.splits.train),
        Split::Validation => (table.validation_way.unwrap_or(table.way), table.validation, &data.splits.validation),
        // Stages before the last look at the novel classes in passing.
        Split::Test => {
            (table.test_way.unwrap_or(table.way), if tests { table.test } else { table.validation }, &data.splits.test)
        }
    };
    let settings = EpisodeSettings { way, shot: table.shot, query: table.query, tasks };
    let classes = data.dataset.classes();
    let name = |label: usize| classes.get(label).cloned().unwrap_or_default();
    let (records, seed) = (data.dataset.records(), loaded.experiment.seed);
    let episodes = Episodes::new(settings, records, indices, seed, EpisodesTable::TABLE, &name);
    Ok(episodes.map_err(|error| in_part(loaded, part, error))?)
}

/// What is wrong with the episodes of a part, which it names.
fn in_part(loaded: &Loaded, part: Split, error: mga_data::Error) -> ExperimentError {
    let mut error = loaded.error_in(EpisodesTable::TABLE, error);
    error
        .problems
        .iter_mut()
        .for_each(|problem| problem.message = format!("{} classes: {}", part.name(), problem.message));
    error
}
