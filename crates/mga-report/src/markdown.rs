//! `report.md` and `methods.md`.

use super::best;
use super::cells::{comparisons, every_run, headline, masks, sentences};
use super::escape::markdown as escape;
use super::html::{Filled, Part};
use super::legend::legend_of;
use super::model::Report;
use super::search_cells::{draws, importance, reading};
use super::table_columns::{chosen, table as arms, usual};
use super::text_table::Cells;

/// Returns the report as a page, with the paragraphs and tables of the [filled](crate::html::fill) sections of other crates.
#[must_use]
pub fn text(report: &Report, contents: &[Filled]) -> String {
    // What was asked for has been checked: whoever changed the report since gets the usual table.
    let columns = chosen(report).unwrap_or_else(|_| usual(report));
    let scores = arms(report, &columns);
    let mut page = format!("# {}\n\n{}.\n\n{}", escape(&report.title), escape(&headline(report)), table(&scores));
    let has = |name: &str| columns.iter().any(|column| column.name == name);
    let legend = legend_of(report, has) + best::said(!scores.best.is_empty());
    let legend = legend.trim_start();
    if !legend.is_empty() {
        page += &format!("\n{}\n", escape(legend));
    }
    if let (Some(search), Some(draws), Some(importance)) = (&report.search, draws(report), importance(report)) {
        let (draws, importance, reading) = (table(&draws), table(&importance), escape(&reading(search)));
        page += &format!("\n## Search\n\n{draws}\n{importance}\n{reading}\n");
    }
    if let Some(comparisons) = comparisons(report) {
        page += &format!("\n## Differences\n\n{}", table(&comparisons));
    }
    if let Some(masks) = masks(report) {
        page += &format!("\n## Masks\n\n{}", table(&masks));
    }
    let said: String = sentences(report).iter().map(|sentence| format!("- {}\n", escape(sentence))).collect();
    if !said.is_empty() {
        page += &format!("\n## What this says\n\n{said}");
    }
    if !report.flags.is_empty() {
        let flags = report.flags.iter().map(|flag| format!("- **{}** {}\n", flag.mark, escape(&flag.message)));
        page += &format!("\n## Before you trust it\n\n{}", flags.collect::<String>());
    }
    page += &format!("\n## Runs\n\n{}", table(&every_run(report)));
    page += &format!("\n## Methods\n\n{}", paragraphs(report));
    contents.iter().for_each(|filled| page += &section(filled));
    if !report.notes.is_empty() {
        let notes = report.notes.iter().map(|note| format!("- {}\n", escape(note)));
        page += &format!("\n## Notes\n\n{}", notes.collect::<String>());
    }
    page
}

/// A section as far as it is paragraphs and tables; nothing of one that has neither.
fn section(Filled { title, content, .. }: &Filled) -> String {
    let parts = content.parts().iter().filter_map(|part| match part {
        Part::Paragraph(text) => Some(escape(text) + "\n"),
        Part::Table(given) => {
            let mut cells = Cells::new(given.heads.iter().map(|head| head.title.clone()).collect(), 0);
            cells.numbers = given.heads.iter().map(|head| head.number).collect();
            cells.rows =
                given.rows.iter().map(|row| row.iter().map(|cell| cell.plain().to_owned()).collect()).collect();
            Some(table(&cells))
        }
        Part::Html(_) | Part::Figures(_) => None,
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { String::new() } else { format!("\n## {}\n\n{}", escape(title), parts.join("\n")) }
}

/// Returns the paragraphs on methods alone.
#[must_use]
pub fn methods(report: &Report) -> String {
    paragraphs(report)
}

fn paragraphs(report: &Report) -> String {
    let paragraphs: Vec<String> = report.methods.iter().map(|paragraph| escape(paragraph)).collect();
    paragraphs.join("\n\n") + "\n"
}

fn table(cells: &Cells) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header: Vec<String> = cells.header.iter().map(|cell| escape(cell)).collect();
    let rule: Vec<String> =
        cells.numbers.iter().map(|&numbers| if numbers { "---:" } else { "---" }.to_owned()).collect();
    let rows = cells.written(escape, |marks| format!("<sup>{marks}</sup>"), |best| format!("**{best}**"));
    [line(&header), line(&rule)].into_iter().chain(rows.iter().map(|row| line(row))).collect()
}
