//! A search: its draws, how the best score grew, and which settings mattered.

use askama::Template;

use super::comparisons::axis;
use super::figure::{self, Figure};
use super::markup::Markup;
use super::section::{Content, Reported};
use super::table::{Cell, Head, Table};
use crate::plots::{BandPoint, LineChart, LineSeries, Scale};
use crate::search_cells::{draws, families, importance, reading};
use crate::search_model::SearchReport;
use crate::text_table::Cells;

/// The section.
#[derive(Template)]
#[template(path = "html/search.html")]
struct Section {
    families: Vec<String>,
    figures: Markup,
    draws: Markup,
    importance: Markup,
    reading: String,
}

/// The section, with nothing to show where nothing was searched.
pub(super) fn section(Reported { report, .. }: &Reported<'_>) -> anyhow::Result<Content> {
    let (Some(search), Some(draws), Some(importance)) = (&report.search, draws(report), importance(report)) else {
        return Ok(Content::default());
    };
    let figures: Vec<Figure> = history(search).into_iter().collect();
    let section = Section {
        families: families(report),
        figures: figure::element(&figures)?.unwrap_or_default(),
        draws: Markup::of(&table(&draws, "Draws of the search", "draws", "draws"))?,
        importance: Markup::of(&table(&importance, "Importance of settings", "importance", "settings"))?,
        reading: reading(search),
    };
    Ok(Content::default().template(&section)?.files(figures))
}

/// Cells as a table that can be sorted: numbers by what they begin with.
fn table(cells: &Cells, label: &str, id: &'static str, rows_are: &'static str) -> Table {
    let heads = cells.header.iter().zip(&cells.numbers);
    let heads = heads.map(|(title, &number)| Head { title: title.clone(), number });
    let cell = |(text, &number): (&String, &bool)| match number {
        true => Cell::number(text, text.split([' ', '%']).next().and_then(|first| first.parse().ok())),
        false => Cell::text(text),
    };
    let rows = cells.rows.iter().map(|row| row.iter().zip(&cells.numbers).map(cell).collect());
    Table { label: label.to_owned(), id, heads: heads.collect(), rows: rows.collect(), rows_are }
}

/// Every draw's score, and the best up to it.
fn history(search: &SearchReport) -> Option<Figure> {
    let column = &search.column;
    let point = |number: usize, value: f64, spread: f64| BandPoint {
        x: number as f64,
        value: column.scale(value),
        low: column.scale(value - spread),
        high: column.scale(value + spread),
    };
    let known = || search.draws.iter().filter_map(|draw| Some((draw, draw.mean()?)));
    let single: Vec<BandPoint> =
        known().map(|(draw, mean)| point(draw.number, mean, draw.validation.deviation.unwrap_or(0.0))).collect();
    let best: Vec<BandPoint> =
        known().filter_map(|(draw, _)| Some(point(draw.number, draw.best_so_far?, 0.0))).collect();
    let last = single.last().map(|point| point.x as u64).filter(|_| single.len() > 1)?;
    let values: Vec<f64> = single.iter().flat_map(|point| [point.low, point.high]).collect();
    let chart = LineChart {
        title: "What the draws scored".to_owned(),
        x_name: "draw".to_owned(),
        x: Scale::whole(0, last, 8),
        y_name: format!("validation {}{}", column.title, if column.percent { " (%)" } else { "" }),
        y: axis(column, values),
        lines: vec![
            LineSeries { name: "each draw".to_owned(), series: 0, points: single, singles: vec![] },
            LineSeries { name: "best so far".to_owned(), series: 1, points: best, singles: vec![] },
        ],
    };
    let caption =
        "Lines: the mean over each draw's runs, and the best up to it; band: one standard deviation.".to_owned();
    Some(Figure { name: "search".to_owned(), plot: chart.draw(), caption, arm: None })
}
