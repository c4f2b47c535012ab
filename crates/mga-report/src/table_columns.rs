//! The columns of the table of arms, by the names that `--columns` takes.

use anyhow::Context;
use mga_experiment::nearest;
use mga_sweep::duration;

use super::best::{best, best_arms};
use super::cells::{dash, runs, trial, value};
use super::model::{Arm, Column, Report};
use super::search_cells::{heading, named, spread};
use super::text_table::Cells;
use super::wording::{interval, p_value};

/// A column of the table of arms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TableColumn {
    /// Its name for `--columns`.
    pub(super) name: String,
    pub(super) head: String,
    /// The head where there is little room.
    pub(super) short: String,
    /// A cell an arm.
    pub(super) cells: Vec<String>,
    /// Which cells begin with the best mean.
    pub(super) best: Vec<bool>,
    /// Whether the table has it without being asked.
    usual: bool,
}

/// Every column that there is of a report.
pub(super) fn all(report: &Report) -> Vec<TableColumn> {
    let of = |name: &str, head: &str, short: &str, usual: bool, cell: &dyn Fn(&Arm) -> String| TableColumn {
        name: name.to_owned(),
        head: head.to_owned(),
        short: short.to_owned(),
        cells: report.arms.iter().map(cell).collect(),
        best: vec![false; report.arms.len()],
        usual,
    };
    let mut columns = vec![of("n", "n", "n", true, &runs)];
    columns.extend(report.search.as_ref().map(|search| {
        let column = &search.column;
        let short = format!("val. {}", short(column));
        let cells = of("validation", &heading(column), &short, true, &|arm| spread(column, &arm.validation));
        TableColumn { best: best(column, report.arms.iter().map(|arm| &arm.validation)), ..cells }
    }));
    for (place, column) in report.columns.iter().enumerate() {
        let head = format!("{}{}", column.title, if column.percent { ", %" } else { "" });
        let cell = |arm: &Arm| arm.scores.get(place).map_or_else(|| dash(None), |score| value(column, score, arm));
        let cells = of(&column.key, &head, &short(column), true, &cell);
        columns.push(TableColumn { best: best_arms(report, place), ..cells });
        if place > 0 {
            continue;
        }
        let range = |arm: &Arm| dash(interval(column, arm.scores.first().and_then(|score| score.interval)));
        columns.push(of("interval", "95 % interval", "95 % int.", true, &range));
        columns.extend(trial(report).map(|trial| {
            let head = format!("95 % over {trial}s");
            let over = |arm: &Arm| dash(interval(column, arm.trials.as_ref().map(|trials| trials.interval)));
            of("trials", &head, &head, true, &over)
        }));
    }
    if let Some(column) = report.metric().filter(|_| report.arms.iter().any(|arm| arm.comparison.is_some())) {
        let unit = if column.percent { ", points" } else { "" };
        let difference =
            |arm: &Arm| dash(arm.comparison.as_ref().map(|comparison| column.show_difference(comparison.difference)));
        columns.push(of("difference", &format!("to baseline{unit}"), "diff.", false, &difference));
        let p = |arm: &Arm| dash(arm.comparison.as_ref().and_then(|comparison| comparison.p_adjusted).map(p_value));
        columns.push(of("p", "p, Holm", "p", false, &p));
    }
    columns.push(of("compute", "compute", "compute", true, &|arm| duration(arm.seconds)));
    columns
}

/// A metric's head where there is little room.
fn short(column: &Column) -> String {
    let title = column.title.replace("balanced accuracy", "bal. acc.").replace("accuracy", "acc.");
    format!("{title}{}", if column.percent { ", %" } else { "" })
}

/// The usual columns.
pub(super) fn usual(report: &Report) -> Vec<TableColumn> {
    all(report).into_iter().filter(|column| column.usual).collect()
}

/// The columns that were asked for, in their order; else the usual ones.
///
/// # Errors
/// There is no such column; the message names those that there are.
pub(super) fn chosen(report: &Report) -> anyhow::Result<Vec<TableColumn>> {
    let wanted = &report.form.columns;
    if wanted.is_empty() {
        return Ok(usual(report));
    }
    named_columns(report, wanted)
}

/// Columns by their names.
///
/// # Errors
/// As [`chosen`].
pub(super) fn named_columns(report: &Report, names: &[String]) -> anyhow::Result<Vec<TableColumn>> {
    let all = all(report);
    let find = |name: &String| {
        let found = all.iter().find(|column| column.name == *name).cloned();
        found.with_context(|| {
            let known: Vec<&str> = all.iter().map(|column| column.name.as_str()).collect();
            let more: Vec<&str> =
                report.measured.iter().map(String::as_str).filter(|key| !known.contains(key)).collect();
            let meant = nearest(name, known.iter().chain(&more).copied());
            let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
            format!("--columns {name}: expected some of {}{meant}", [known, more].concat().join(", "))
        })
    };
    names.iter().map(find).collect()
}

/// The table of these columns: a row an arm.
pub(super) fn table(report: &Report, columns: &[TableColumn]) -> Cells {
    let header = std::iter::once("arm").chain(columns.iter().map(|column| column.head.as_str()));
    let mut cells = Cells::new(header.map(str::to_owned).collect(), 1);
    for (row, arm) in report.arms.iter().enumerate() {
        cells.marks.push(report.flags_of(arm).map(|flag| flag.mark.as_str()).collect::<Vec<_>>().join(" "));
        let scores = columns.iter().map(|column| column.cells[row].clone());
        cells.rows.push(std::iter::once(named(arm)).chain(scores).collect());
        let best = columns.iter().enumerate().filter(|(_, column)| column.best[row]);
        cells.best.extend(best.map(|(place, _)| (row, place + 1)));
    }
    cells
}
