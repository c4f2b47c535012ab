//! The settings under which data are looked at: an experiment's, with all folds of its table, or those of a sweep's runs.

use std::path::Path;

use mga_experiment::{Components, Loaded, Overrides};
use mga_sweep::Planner;
use mga_train::data_set;

use crate::commands::experiment_args::ExperimentArgs;

/// An experiment whose data are looked at.
pub(super) struct Setting {
    /// What tells it from the others; empty where there are none.
    pub(super) name: String,
    pub(super) loaded: Loaded,
    /// The folds of its table, all of which are looked at in place of the one that it names; empty: it names none.
    pub(super) folds: Vec<String>,
}

/// The settings of an experiment or a sweep.
///
/// # Errors
/// A file that is neither; everything that is wrong with an experiment; tables that cannot be read.
pub(super) fn settings(file: &Path, set: &[String], components: &Components) -> anyhow::Result<Vec<Setting>> {
    let all = if is_sweep(file) {
        of_sweep(file, set, components)?
    } else {
        let experiment = ExperimentArgs { experiment: file.to_path_buf(), set: set.to_vec() };
        vec![(String::new(), experiment.load(components)?)]
    };
    let with_folds = |(name, loaded): (String, Loaded)| -> anyhow::Result<Setting> {
        let folds = data_set::folds(&loaded, components)?;
        Ok(Setting { name, loaded, folds })
    };
    all.into_iter().map(with_folds).collect()
}

/// Whether a file is one of a sweep, which has a base. What cannot be read is for the experiment's reader to speak of.
fn is_sweep(file: &Path) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("base"))
}

fn of_sweep(file: &Path, set: &[String], components: &Components) -> anyhow::Result<Vec<(String, Loaded)>> {
    let mut planner = Planner::read(file, Overrides::from_process(set.to_vec()), components)?;
    let experiments = planner.experiments()?;
    planner.warnings.iter().for_each(|warning| say!("{warning}"));
    Ok(experiments)
}
