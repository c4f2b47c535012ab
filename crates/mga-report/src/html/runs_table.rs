//! The table of runs.

use mga_sweep::duration;

use super::section::{Content, Reported};
use super::table::{Cell, Head, Shown, Table};
use crate::Report;
use crate::model::Run;
use crate::results::RunState;
use crate::search_cells::heading;

/// The section.
pub(super) fn section(seen: &Reported<'_>) -> anyhow::Result<Content> {
    Content::default().template(&table(seen.report))
}

/// A row a run, finished or not: what it scored, or why it failed.
fn table(report: &Report) -> Table {
    let mut heads: Vec<Head> = ["arm", "run", "state"].map(Head::words).into();
    heads.extend(
        report
            .columns
            .iter()
            .map(|column| Head::number(format!("{}{}", column.title, column.unit().replace(' ', ", ")))),
    );
    heads.extend(report.validated_by.as_ref().map(|column| Head::number(heading(column))));
    heads.extend(["epoch", "time"].map(Head::number));
    heads.push(Head::words("folder, and what is amiss"));
    let rows = report.runs.iter().map(|run| row(report, run)).collect();
    Table { label: "Every run".to_owned(), id: "runs", heads, rows, rows_are: "runs" }
}

fn row(report: &Report, run: &Run) -> Vec<Cell> {
    let arm = report.arms.get(run.arm).map_or("", |arm| arm.name.as_str());
    let left_out = if run.state == RunState::Finished && !run.counted { ", left out" } else { "" };
    let state = format!("{}{left_out}", run.state.word());
    let tone = if run.state == RunState::Failed { "worse" } else { "" };
    let mut cells = vec![
        Cell::arm(run.arm, arm),
        Cell::text(&run.replicate),
        Cell::sorted(Shown::Toned { text: state.clone(), tone }, &state),
    ];
    for (column, value) in report.columns.iter().zip(&run.values) {
        cells.push(Cell::number(&column.show(*value), *value));
    }
    cells.extend(report.validated_by.as_ref().map(|column| {
        // The score is higher the better; the metric is shown as it is measured.
        let value = run.validation_score.map(|score| if column.higher_is_better { score } else { -score });
        Cell::number(&column.show(value), value)
    }));
    let epoch = run.epoch.map(|epoch| epoch + 1);
    cells.push(Cell::number(&epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string()), epoch.map(|e| e as f64)));
    cells.push(Cell::number(&run.seconds.map_or_else(|| "-".to_owned(), duration), run.seconds));
    let folder = Shown::Folder { key: run.key.clone(), error: run.error.clone(), notes: run.notes.clone() };
    cells.push(Cell::sorted(folder, &run.key));
    cells
}
