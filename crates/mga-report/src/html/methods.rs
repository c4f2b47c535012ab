//! Paragraphs for a paper's section on methods.

use askama::Template;

use super::markup::Markup;
use super::section::{Content, Reported};

/// The section.
#[derive(Template)]
#[template(path = "html/paragraphs.html")]
struct Paragraphs<'a> {
    paragraphs: &'a [String],
}

/// The paragraphs.
pub(super) fn section(seen: &Reported<'_>) -> anyhow::Result<Content> {
    Ok(Markup::of(&Paragraphs { paragraphs: &seen.report.methods })?.into())
}
