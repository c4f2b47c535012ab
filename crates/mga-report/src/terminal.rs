//! The report in a terminal.

use super::cells::{comparisons, headline, masks, sentences};
use super::legend::legend;
use super::model::Report;
use super::search_cells::{chosen, draws, importance, reading};
use super::table_columns::{table as arms, usual};
use super::text_table::Cells;

/// Tables, what they say, flags and notes.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = format!("{}\n\n{}\n", headline(report), table(&arms(report, &usual(report))));
    let legend = legend(report);
    if !legend.is_empty() {
        text += &format!("{legend}\n");
    }
    if let Some(comparisons) = comparisons(report) {
        text += &format!("\n{}\n", table(&comparisons));
    }
    if let (Some(search), Some(draws), Some(importance)) = (&report.search, draws(report), importance(report)) {
        text += &format!("\n{}\n\n{}\n{}\n", table(&draws), table(&importance), reading(search));
    }
    if let Some(masks) = masks(report) {
        text += &format!("\n{}\n", table(&masks));
    }
    let mut part = |lines: Vec<String>| {
        if !lines.is_empty() {
            text += &format!("\n{}\n", lines.join("\n"));
        }
    };
    // What is chosen stands last, when all is said.
    let chosen = chosen(report);
    part(sentences(report).into_iter().filter(|sentence| chosen.as_ref() != Some(sentence)).collect());
    part(report.flags.iter().map(|flag| format!("[{}] {}", flag.mark, flag.message)).collect());
    part(report.notes.iter().map(|note| format!("note: {note}")).collect());
    text
}

/// Returns the last line in a terminal: for a search, the draw with the best mean.
#[must_use]
pub fn last_line(report: &Report) -> Option<String> {
    chosen(report)
}

fn table(cells: &Cells) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(cells.header.clone());
    table.add_rows(cells.written(str::to_owned, |marks| format!(" [{marks}]"), str::to_owned));
    for (index, _) in cells.numbers.iter().enumerate().filter(|(_, numbers)| **numbers) {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    table.trim_fmt()
}
