//! The table of arms.

use askama::Template;
use mga_sweep::duration;

use super::markup::Markup;
use super::section::{Content, Reported};
use super::table::{Cell, Head, Shown, Table};
use crate::Report;
use crate::best::{best_arms, said};
use crate::cells::{runs, sentences, value};
use crate::legend::legend;
use crate::model::{Arm, Column, Verdict};
use crate::search_cells::{heading, spread};
use crate::wording::{difference_interval, interval, p_value};

/// The table, and what is to be said of it.
#[derive(Template)]
#[template(path = "html/arms.html")]
struct Section {
    table: Markup,
    legend: String,
    sentences: Vec<String>,
}

/// The table, its legend, and what it says in sentences.
pub(super) fn section(seen: &Reported<'_>) -> anyhow::Result<Content> {
    let report = seen.report;
    let table = Markup::of(&table(report))?;
    let any = (0..report.columns.len()).any(|place| best_arms(report, place).contains(&true));
    let legend = (legend(report) + said(any)).trim_start().to_owned();
    Content::default().template(&Section { table, legend, sentences: sentences(report) })
}

/// A row an arm: n, every metric, the difference to the baseline, compute.
fn table(report: &Report) -> Table {
    let mut heads = vec![Head::words("arm"), Head::number("n")];
    heads.extend(report.search.as_ref().map(|search| Head::number(heading(&search.column))));
    for (place, column) in report.columns.iter().enumerate() {
        heads.push(Head::number(format!("{}{}", column.title, column.unit().replace(' ', ", "))));
        if place == 0 {
            heads.push(Head::number("95 % interval"));
        }
    }
    let compared = report.arms.iter().any(|arm| arm.comparison.is_some());
    if compared {
        let unit = report.metric().map_or("", Column::difference_unit).replace(' ', ", ");
        heads.push(Head::number(format!("to baseline{unit}")));
        heads.extend(["95 % of it", "p, Holm"].map(Head::number));
    }
    heads.push(Head::number("compute"));
    let best: Vec<Vec<bool>> = (0..report.columns.len()).map(|place| best_arms(report, place)).collect();
    let rows = report.arms.iter().enumerate().map(|(index, arm)| row(report, index, arm, (compared, &best))).collect();
    Table { label: "Arms and their scores".to_owned(), id: "arms", heads, rows, rows_are: "arms" }
}

fn row(report: &Report, index: usize, arm: &Arm, (compared, best): (bool, &[Vec<bool>])) -> Vec<Cell> {
    let mut cells = vec![name(report, index, arm), Cell::number(&runs(arm), Some(arm.finished as f64))];
    cells.extend(
        report
            .search
            .as_ref()
            .map(|search| Cell::number(&spread(&search.column, &arm.validation), arm.validation.mean)),
    );
    for (place, (column, score)) in report.columns.iter().zip(&arm.scores).enumerate() {
        let cell = Cell::number(&value(column, score, arm), score.mean);
        cells.push(if best[place][index] { cell.best() } else { cell });
        if place == 0 {
            let text = interval(column, score.interval).unwrap_or_else(|| "-".to_owned());
            cells.push(Cell::number(&text, score.interval.map(|interval| interval.low)));
        }
    }
    if compared {
        cells.extend(difference(report, arm));
    }
    cells.push(Cell::number(&duration(arm.seconds), Some(arm.seconds)));
    cells
}

fn difference(report: &Report, arm: &Arm) -> [Cell; 3] {
    let none = || Cell::number("-", None);
    let Some((comparison, column)) = arm.comparison.as_ref().zip(report.metric()) else {
        return [none(), none(), none()];
    };
    let range = difference_interval(column, comparison.interval).unwrap_or_else(|| "-".to_owned());
    let (p, tone) = match (comparison.p_adjusted, comparison.verdict) {
        (None, _) => ("-".to_owned(), ""),
        (Some(p), Verdict::Better) => (format!("{}, better", p_value(p)), "better"),
        (Some(p), Verdict::Worse) => (format!("{}, worse", p_value(p)), "worse"),
        (Some(p), _) => (p_value(p), ""),
    };
    let key = comparison.p_adjusted.map(|p| p.to_string()).unwrap_or_default();
    [
        Cell::number(&column.show_difference(comparison.difference), comparison.difference),
        Cell::number(&range, comparison.interval.map(|interval| interval.low)),
        Cell::sorted(Shown::Toned { text: p, tone }, &key),
    ]
}

/// The name with its colour, the baseline's mark, and its flags as links.
fn name(report: &Report, index: usize, arm: &Arm) -> Cell {
    let tags = [(arm.baseline, "baseline"), (arm.best_validated, "best on validation")];
    let shown = Shown::Arm {
        index,
        name: arm.name.clone(),
        tags: tags.into_iter().filter(|(has, _)| *has).map(|(_, tag)| tag).collect(),
        marks: report.flags_of(arm).map(|flag| flag.mark.clone()).collect(),
    };
    Cell::sorted(shown, &arm.name)
}
