//! The search that a sweep file names, with its ranges and its budget.

use mga_experiment::{Document, KeyPath, Loaded, Problem, SelectOn, StageWork, setting_path};
use mga_registry::{Entry, OwnSettings, SettingFault};

use super::expand::Space;
use super::file::{Budget, SweepFile};
use super::search::{Drawing, SearchStrategy, Searches, drawing, going_by};

/// The search at work, and when it draws; what is wrong with its ranges, budget and settings goes to `problems`.
pub(super) fn searched(
    file: &SweepFile,
    space: &Space,
    searches: &[Entry<Searches>],
    document: &Document,
    problems: &mut Vec<Problem>,
) -> Option<(Drawing, Box<dyn SearchStrategy>)> {
    let at = KeyPath::dotted("search");
    let name = file.search.name.as_str();
    let Some(entry) = searches.iter().find(|entry| entry.name == name) else {
        let known = drawing(searches);
        problems.push(document.error(&at, format!("no search is called `{name}`; expected \"grid\", {known}")));
        return None;
    };
    let search = &entry.item;
    ranges(file, search.drawing(), searches, document, problems);
    budget(file, space, entry, searches, document, problems);
    match search.build(&OwnSettings::new("search", &file.search.settings), &space.dimensions(), &file.budget) {
        Ok(strategy) => Some((search.drawing(), strategy)),
        Err(SettingFault { key, what }) => {
            problems.push(document.error(&setting_path(&key).unwrap_or(at), what));
            None
        }
    }
}

/// A grid has no use for ranges, and any other search nothing to do without.
fn ranges(
    file: &SweepFile,
    when: Drawing,
    searches: &[Entry<Searches>],
    document: &Document,
    problems: &mut Vec<Problem>,
) {
    if when == Drawing::Never && !file.ranges.is_empty() {
        let known = drawing(searches);
        let message = format!("are drawn from with search = {known}; a grid has lists in [axes]");
        problems.push(document.error(&KeyPath::dotted("ranges"), message));
    } else if when != Drawing::Never && file.ranges.is_empty() {
        let message = "draws from [ranges], and there are none; add some, or set search = \"grid\"";
        problems.push(document.error(&KeyPath::dotted("search"), message));
    }
}

/// A search that draws needs runs to spend, and a grid has no use for them; what a search does not go by does nothing.
fn budget(
    file: &SweepFile,
    space: &Space,
    entry: &Entry<Searches>,
    searches: &[Entry<Searches>],
    document: &Document,
    problems: &mut Vec<Problem>,
) {
    let (at, combinations) = (KeyPath::dotted("budget.runs"), space.combinations());
    let (draws, runs) = (entry.item.drawing() != Drawing::Never, file.budget.runs);
    if !draws && runs > 0 {
        let message = format!("a grid runs all its combinations; set search = {}", drawing(searches));
        problems.push(document.error(&at, message));
    }
    let usual = Budget::default();
    for (key, set) in
        [("startup", file.budget.startup != usual.startup), ("parallel", file.budget.parallel != usual.parallel)]
    {
        if set && !entry.item.budget_keys().contains(&key) {
            let message = format!("does nothing here: it counts only with search = {}", going_by(searches, key));
            problems.push(document.error(&KeyPath::dotted("budget").key(key), message));
        }
    }
    if draws && runs == 0 {
        problems.push(document.error(&at, "missing; expected how many runs the search may take"));
    } else if draws && runs < combinations {
        let message = format!(
            "expected at least {combinations}: each draw is run with {combinations} combinations of axes and variants"
        );
        problems.push(document.error(&at, message));
    }
}

/// Why a search that learns cannot score this experiment.
pub(super) fn unsearchable(search: &str, loaded: &Loaded, document: &Document) -> Option<Problem> {
    let at = KeyPath::dotted("search");
    if loaded.work != StageWork::Fit {
        let message =
            format!("{search} improves the score that selects, and the last stage trains nothing; use another search");
        return Some(document.error(&at, message));
    }
    let message = match loaded.experiment.eval.select_on {
        SelectOn::Validation => return None,
        SelectOn::Test => "would search on the test images",
        SelectOn::Last => "improves the score that selects",
    };
    Some(document.error(&at, format!("{search} {message}: set eval.select_on = \"validation\"")))
}
