//! The masks that arms learn from: what they cover, and examples.

use askama::Template;
use mga_train::mask_survey::{MaskSurvey, SHEET};

use super::markup::Markup;
use super::pictures::{Embedded, embedded};
use super::section::{Content, Reported};
use super::table::{Cell, Head, Table};
use crate::Report;
use crate::cells;
use crate::results::Record;
use crate::wording::list;

/// Bytes of one sheet, and of all.
const EACH: usize = 400 << 10;
const BYTES: usize = 3 << 20;

/// Sheets on the page.
const MOST: usize = 24;

/// The section.
#[derive(Template)]
#[template(path = "html/masks.html")]
struct Section {
    table: Markup,
    sheets: Vec<Sheet>,
}

/// Examples of masks.
struct Sheet {
    picture: Embedded,
    alt: String,
    caption: String,
    /// What is said of each, and its path.
    images: Vec<(String, String)>,
}

/// A table of the arms with masks, a sheet of examples of each kind of masks, and what could not be read.
pub(super) fn section(Reported { report, records }: &Reported<'_>) -> anyhow::Result<Content> {
    let Some(cells) = cells::masks(report) else { return Ok(Content::default()) };
    let heads = cells.header.iter().zip(&cells.numbers);
    let heads = heads.map(|(title, &number)| if number { Head::number(title.as_str()) } else { Head::words(title) });
    // Sorted by the number that a cell begins with.
    let cell = |(text, &number): (&String, &bool)| {
        let value = text.split_whitespace().next().and_then(|number| number.parse().ok());
        if number { Cell::number(text, value) } else { Cell::text(text) }
    };
    let rows = cells.rows.iter().map(|row| row.iter().zip(&cells.numbers).map(cell).collect()).collect();
    let label = "Masks that arms learn from".to_owned();
    let table = Table { label, id: "arm-masks", heads: heads.collect(), rows, rows_are: "arms with masks" };
    let (kinds, mut sheets, mut notes) = (kinds(report, records), vec![], vec![]);
    let budget = EACH.min(BYTES / kinds.len().clamp(1, MOST));
    for (at, (run, survey, arms)) in kinds.into_iter().enumerate() {
        if at == MOST {
            notes.push(format!("the page has {MOST} sheets of masks already; those of other arms are left out"));
            break;
        }
        match sheet(&records[run], survey, &list(&arms), budget) {
            Ok(sheet) => sheets.push(sheet),
            Err(error) => notes.push(format!("{error:#}")),
        }
    }
    let table = Markup::of(&table)?;
    Ok(Content::default().template(&Section { table, sheets })?.notes(notes))
}

/// Masks that differ: the run whose sheet is shown, its survey, and the arms that learn from such masks.
fn kinds<'a>(report: &'a Report, records: &'a [Record]) -> Vec<(usize, &'a MaskSurvey, Vec<&'a str>)> {
    let mut kinds: Vec<(usize, &MaskSurvey, Vec<&str>)> = vec![];
    for arm in &report.arms {
        let Some((run, survey)) =
            arm.masks.as_ref().and_then(|masks| Some((masks.run, records[masks.run].masks.as_ref()?)))
        else {
            continue;
        };
        let same = |known: &MaskSurvey| (&known.source, known.coverage) == (&survey.source, survey.coverage);
        match kinds.iter_mut().find(|(_, known, _)| same(known)) {
            Some((.., arms)) => arms.push(&arm.name),
            None => kinds.push((run, survey, vec![&arm.name])),
        }
    }
    kinds
}

fn sheet(record: &Record, survey: &MaskSurvey, arms: &str, budget: usize) -> anyhow::Result<Sheet> {
    let picture = embedded(&record.folder.join("pictures").join(SHEET), budget)?;
    let (source, n) = (&survey.source, survey.images.len());
    let images = survey.images.iter().map(|image| {
        let label = image.label.as_deref().unwrap_or("class not known");
        (format!("{:.1} %, {label}", 100.0 * image.coverage), image.path.clone())
    });
    Ok(Sheet {
        picture,
        alt: format!("masks ({source}) of training images"),
        caption: format!(
            "{n} training images with their masks ({source}), from the least coverage to the most; {} a line. Of {arms}.",
            survey.images_per_row
        ),
        images: images.collect(),
    })
}
