//! The paragraph on a search for a paper: its space, its budget, and by what the best draw was chosen.

use mga_core::wording::counted;

use super::model::Report;
use super::search_cells;
use super::wording::list;

/// What was searched, how often, and by what the best was chosen.
pub(super) fn searched(report: &Report) -> String {
    let Some(search) = &report.search else { return String::new() };
    let budget = &search.space.budget;
    let ranges: Vec<String> =
        search.space.ranges.iter().map(|(key, range)| format!("{key} ({})", search_cells::range(range))).collect();
    let how = match search.space.kind() {
        "tpe" => format!(
            "a tree-structured Parzen estimator (TPE, Bergstra et al. 2011; one for each setting alone), the first {} by \
             chance, {} at a time",
            counted(budget.startup, "draw", "draws"),
            budget.parallel
        ),
        "random" => "random draws".to_owned(),
        other => format!("the search `{other}`"),
    };
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
