//! The paragraph on a search for a paper: its space, its budget, and by what the best draw was chosen.

use mga_core::wording::counted;
use mga_sweep::Budget;
use serde_json::{Map, Value};

use super::component_words::ComponentWords;
use super::model::Report;
use super::search_cells;
use super::wording::list;

/// What was searched, how often, and by what the best was chosen.
pub(super) fn searched(report: &Report, words: &ComponentWords) -> String {
    let Some(search) = &report.search else { return String::new() };
    let budget = &search.space.budget;
    let ranges: Vec<String> =
        search.space.ranges.iter().map(|(key, range)| format!("{key} ({})", search_cells::range(range))).collect();
    let how = words.search(search.space.kind(), &settings(budget));
    let runs = search.draws.iter().map(|draw| draw.runs).max().unwrap_or(0);
    let mut text = format!(
        "Settings were searched by {how} (seed {}): {}. The budget was {}; {} of {} each were made.",
        budget.seed,
        list(&ranges),
        counted(budget.runs, "run", "runs"),
        counted(search.draws.len(), "draw", "draws"),
        counted(runs, "run", "runs"),
    );
    text += &format!(
        " Draws were compared by their mean {} on the validation images; test images had no influence.",
        search.column.title
    );
    if let Some(chosen) = search_cells::chosen(report) {
        text += &format!(" {chosen}");
    }
    if search.importance.iter().any(|one| one.share.is_some()) {
        text += &format!(" {}", search_cells::reading(search));
    }
    text
}

fn settings(budget: &Budget) -> Map<String, Value> {
    serde_json::to_value(budget).ok().and_then(|budget| budget.as_object().cloned()).unwrap_or_default()
}
