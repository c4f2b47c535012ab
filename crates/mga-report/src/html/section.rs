//! The interface of a section of the page: a title, a place, and what it shows.

use askama::Template;
use mga_registry::Kind;

use super::figure::{self, Figure};
use super::markup::Markup;
use super::table::Table;
use crate::Report;
use crate::results::Record;

/// The kind of component that a report is put together from.
#[derive(Debug)]
pub struct ReportSections;

impl Kind for ReportSections {
    type Item = dyn ReportSection;
    const TITLE: &'static str = "sections of reports";
    const KEY: &'static str = "mga report";
}

/// A section of a report.
pub trait ReportSection: Send + Sync {
    /// Returns the title on the page.
    fn title(&self) -> &str;

    /// Returns the place of the section.
    fn place(&self) -> SectionPlace {
        SectionPlace::Last
    }

    /// Returns the content of the section for these runs. A section without content is left out.
    ///
    /// What cannot be read in a run's folder is no error: say it with [`Content::note`], and show the rest.
    ///
    /// # Errors
    /// Whatever leaves the report without meaning.
    fn content(&self, seen: &Reported<'_>) -> anyhow::Result<Content>;
}

/// The place of a section of another crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionPlace {
    /// Right before the section of that name.
    Before(&'static str),
    /// Right after the section of that name.
    After(&'static str),
    /// Behind all that were registered before.
    Last,
}

/// The data that a section is made from.
#[derive(Debug, Clone, Copy)]
pub struct Reported<'a> {
    /// The report.
    pub report: &'a Report,
    /// The records of the runs in `report.runs`, in their order.
    pub records: &'a [Record],
}

/// The content of a section: paragraphs, tables and figures in their order. All text is escaped.
///
/// Paragraphs and tables of a section go into `report.md` too, but for those of this workspace, which are written there in
/// their own way.
#[derive(Debug, Default)]
pub struct Content {
    parts: Vec<Part>,
    /// Figures that stand in a template of the section's own.
    files: Vec<Figure>,
    notes: Vec<String>,
}

/// A part of a section.
#[derive(Debug)]
pub(crate) enum Part {
    Html(Markup),
    Paragraph(String),
    Table(Table),
    Figures(Vec<Figure>),
}

#[derive(Template)]
#[template(path = "html/paragraphs.html")]
struct Paragraphs<'a> {
    paragraphs: &'a [String],
}

impl Content {
    /// Adds a paragraph of plain text.
    #[must_use]
    pub fn paragraph(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Paragraph(text.into()));
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.parts.push(Part::Table(table));
        self
    }

    /// Adds figures side by side. Each lies in the report's folder as a file, too.
    #[must_use]
    pub fn figures(mut self, figures: Vec<Figure>) -> Self {
        if !figures.is_empty() {
            self.parts.push(Part::Figures(figures));
        }
        self
    }

    /// Adds what an askama template gives. The template has to escape HTML, as one whose file ends in `.html` does.
    ///
    /// # Errors
    /// The template cannot be filled.
    pub fn template(mut self, template: &impl Template) -> anyhow::Result<Self> {
        self.parts.push(Part::Html(Markup::of(template)?));
        Ok(self)
    }

    /// Adds a note in a sentence on something that could not be read. The end of the page lists it.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Notes several things.
    #[must_use]
    pub(super) fn notes(mut self, notes: Vec<String>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// Figures that stand in a template already, and are to be files too.
    #[must_use]
    pub(super) fn files(mut self, figures: Vec<Figure>) -> Self {
        self.files.extend(figures);
        self
    }

    /// Whether there is anything to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub(super) fn noted(&self) -> &[String] {
        &self.notes
    }

    /// Every figure of the section.
    pub(super) fn all_figures(&self) -> impl Iterator<Item = &Figure> {
        let shown = self.parts.iter().flat_map(|part| match part {
            Part::Figures(figures) => figures.as_slice(),
            _ => &[],
        });
        shown.chain(&self.files)
    }

    /// The section as HTML.
    pub(super) fn html(&self) -> anyhow::Result<Markup> {
        let html = self.parts.iter().map(|part| match part {
            Part::Html(html) => Ok(html.to_string()),
            Part::Paragraph(text) => Ok(Paragraphs { paragraphs: std::slice::from_ref(text) }.render()?),
            Part::Table(table) => Ok(table.render()?),
            Part::Figures(figures) => Ok(figure::element(figures)?.unwrap_or_default().to_string()),
        });
        Ok(Markup::own(html.collect::<anyhow::Result<String>>()?))
    }
}

impl From<Markup> for Content {
    fn from(html: Markup) -> Self {
        Self { parts: vec![Part::Html(html)], ..Self::default() }
    }
}

impl From<Option<Markup>> for Content {
    fn from(html: Option<Markup>) -> Self {
        html.map(Self::from).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::{Cell, Head};

    #[test]
    fn parts_stand_in_their_order_and_are_escaped() {
        let table = Table {
            label: "Times".to_owned(),
            id: "times",
            heads: vec![Head::words("arm"), Head::number("seconds")],
            rows: vec![vec![Cell::text("<b>"), Cell::number("1.5", Some(1.5))]],
            rows_are: "arms",
        };
        let content = Content::default().paragraph("a < b").table(table).paragraph("end").note("not read");
        let html = content.html().unwrap().to_string();
        let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}: {html}"));
        assert!(at("<p>a &#60; b</p>") < at("&#60;b&#62;") && at("&#60;b&#62;") < at("<p>end</p>"));
        assert_eq!((content.noted(), content.is_empty()), (&["not read".to_owned()][..], false));
        assert!(Content::default().figures(vec![]).note("not read").is_empty());
    }
}
