//! The description of a search as text: its draws, what mattered, what was chosen.

use mga_core::wording::counted;
use mga_sweep::short_key;

use super::importance::FEWEST;
use super::model::{Arm, Column, Report, Score};
use super::search_model::{Draw, SearchReport};
use super::text_table::Cells;
use super::wording::{drawn, p_value, show};

/// A row a draw: what was drawn, what it scored on validation images, and what its arms scored in the first column.
pub(super) fn draws(report: &Report) -> Option<Cells> {
    let search = report.search.as_ref()?;
    let keys: Vec<&String> = search.space.ranges.keys().collect();
    let mut header = vec!["draw".to_owned()];
    header.extend(keys.iter().map(|key| short(key, &keys)));
    header.extend(["n".to_owned(), heading(&search.column), "best so far".to_owned()]);
    header.extend(report.metric().map(|column| titled(column, &column.title)));
    let mut cells = Cells { numbers: vec![true; header.len()], header, rows: vec![], marks: vec![], best: vec![] };
    for (place, key) in keys.iter().enumerate() {
        let words = search.draws.iter().any(|draw| draw.values.get(*key).is_some_and(|value| !value.is_number()));
        cells.numbers[place + 1] = !words;
    }
    for (place, draw) in search.draws.iter().enumerate() {
        let best = if search.chosen == Some(place) { " (best on validation)" } else { "" };
        let mut row = vec![format!("{}{best}", draw.number)];
        row.extend(keys.iter().map(|key| draw.values.get(*key).map_or_else(|| "-".to_owned(), drawn)));
        row.push(runs(draw));
        row.push(spread(&search.column, &draw.validation));
        row.push(search.column.show(draw.best_so_far));
        row.extend(report.metric().map(|column| tested(report, draw, column)));
        cells.rows.push(row);
    }
    Some(cells)
}

/// A row a setting that is drawn.
pub(super) fn importance(report: &Report) -> Option<Cells> {
    let search = report.search.as_ref()?;
    let header =
        ["setting", "range", "share of the rank variance", "p", "rank correlation", "draws"].map(str::to_owned);
    let numbers = vec![false, false, true, true, true, true];
    let mut cells = Cells { header: header.to_vec(), rows: vec![], marks: vec![], numbers, best: vec![] };
    for one in &search.importance {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        cells.rows.push(vec![
            one.key.clone(),
            search.space.ranges.get(&one.key).map(range).unwrap_or_default(),
            number(one.share),
            one.p.map_or_else(|| "-".to_owned(), p_value),
            number(one.rank_correlation),
            one.draws.to_string(),
        ]);
    }
    Some(cells)
}

/// How the table of importance is to be read.
pub(super) fn reading(search: &SearchReport) -> String {
    let known = search.importance.iter().map(|one| one.draws).max().unwrap_or(0);
    if known < FEWEST {
        return format!("Importance needs {FEWEST} draws whose runs all have a score; there are {known}.");
    }
    "Importance: the share of the variance of the draws' validation ranks between groups of one setting (choices by value, \
     numbers in ranges of equally many draws), minus its chance level (eta squared of Kruskal and Wallis' H), with the p \
     value of a permutation test; and Spearman's rank correlation, which is above 0 if more of the setting goes with a \
     higher value of the metric. Each setting is looked at alone, so effects of combinations are not seen, and a search that \
     learns draws mostly where it found good scores."
        .to_owned()
}

/// The best draw in a sentence; why there is none, where there is none.
pub(super) fn chosen(report: &Report) -> Option<String> {
    let search = report.search.as_ref()?;
    let Some(best) = search.best() else {
        return Some("No draw can be chosen yet: none has a validation score in all of its runs.".to_owned());
    };
    let column = &search.column;
    let compared = search.draws.iter().filter(|draw| draw.mean().is_some()).count();
    let values: Vec<String> = best.values.iter().map(|(key, value)| format!("{key} = {}", show(value))).collect();
    let over = if best.runs == 1 { "one run".to_owned() } else { format!("the mean of {} runs", best.runs) };
    let mut text = format!(
        "Best on validation: draw {} ({}): {} {}{}, {over}, the best of {}.",
        best.number,
        values.join(", "),
        column.title,
        spread(column, &best.validation),
        column.unit(),
        counted(compared, "draw", "draws"),
    );
    if let Some(column) = report.metric() {
        let tested: Vec<String> = best
            .arms
            .iter()
            .filter_map(|&arm| report.arms.get(arm))
            .filter_map(|arm| Some((arm, arm.scores.first().filter(|score| score.n > 0)?)))
            .map(|(arm, score)| {
                let name = if best.arms.len() > 1 { format!("{}: ", arm.name) } else { String::new() };
                format!("{name}{}{}", spread(column, score), column.unit())
            })
            .collect();
        if !tested.is_empty() {
            text += &format!(" On the test images, {}: {}.", column.title, tested.join("; "));
        }
    }
    Some(text)
}

/// The best arm of each family, where a draw has several: variants and axes are searched over together.
pub(super) fn families(report: &Report) -> Vec<String> {
    let Some(search) = &report.search else { return vec![] };
    if search.draws.iter().all(|draw| draw.arms.len() < 2) {
        return vec![];
    }
    let best = report.arms.iter().filter(|arm| arm.best_validated);
    best.map(|arm| {
        let validation = spread(&search.column, &arm.validation);
        format!(
            "Best of its kind on validation: {}, {} {validation}{}.",
            arm.name,
            search.column.title,
            search.column.unit()
        )
    })
    .collect()
}

/// `3`, or `2 of 3` where not all have a score.
fn runs(draw: &Draw) -> String {
    let n = draw.validation.n;
    if n == draw.runs { n.to_string() } else { format!("{n} of {}", draw.runs) }
}

/// What the arms of a draw scored: of several, each.
fn tested(report: &Report, draw: &Draw, column: &Column) -> String {
    let scores = draw.arms.iter().filter_map(|&arm| report.arms.get(arm)?.scores.first());
    let shown: Vec<String> = scores.map(|score| spread(column, score)).collect();
    if shown.is_empty() { "-".to_owned() } else { shown.join("; ") }
}

/// `93.5 ± 1.2`.
pub(super) fn spread(column: &Column, score: &Score) -> String {
    let deviation = score.deviation.map(|_| format!(" ± {}", column.show(score.deviation))).unwrap_or_default();
    column.show(score.mean) + &deviation
}

/// `validation top-1 accuracy, %`.
pub(super) fn heading(column: &Column) -> String {
    titled(column, &format!("validation {}", column.title))
}

fn titled(column: &Column, title: &str) -> String {
    format!("{title}{}", if column.percent { ", %" } else { "" })
}

/// `log_uniform 0.0001 to 0.1`, `choice of none, residual`.
pub(super) fn range(range: &serde_json::Value) -> String {
    let kind = range.as_object().and_then(|range| range.iter().next());
    let Some((kind, values)) = kind.and_then(|(kind, values)| Some((kind, values.as_array()?))) else {
        return range.to_string();
    };
    let shown: Vec<String> = values.iter().map(show).collect();
    match (kind.as_str(), shown.as_slice()) {
        ("choice", _) => format!("choice of {}", shown.join(", ")),
        (kind, [low, high]) => format!("{kind} {low} to {high}"),
        _ => range.to_string(),
    }
}

/// The last part of a key, or all of it where two end alike.
fn short(key: &str, keys: &[&String]) -> String {
    let alone = keys.iter().filter(|other| short_key(other) == short_key(key)).count() == 1;
    if alone { short_key(key).to_owned() } else { key.to_owned() }
}

/// The mark behind an arm's name: the baseline, the best on validation images.
pub(super) fn named(arm: &Arm) -> String {
    match (arm.baseline, arm.best_validated) {
        (false, false) => arm.name.clone(),
        (true, false) => format!("{} (baseline)", arm.name),
        (false, true) => format!("{} (best on validation)", arm.name),
        (true, true) => format!("{} (baseline, best on validation)", arm.name),
    }
}
