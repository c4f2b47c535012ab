//! The page put together.

use askama::Template;
use base64::Engine;
use sha2::{Digest, Sha256};

use super::filled::Filled;
use super::markup::Markup;
use crate::Report;
use crate::cells::headline;
use crate::plots::markup::without_controls;
use crate::plots::palette;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
#[derive(Template)]
#[template(path = "html/page.html")]
struct Page<'a> {
    report: &'a Report,
    headline: String,
    sections: Vec<Section<'a>>,
    style: Markup,
    script: Markup,
    script_hash: String,
}

/// A part of the page.
struct Section<'a> {
    id: &'a str,
    title: &'a str,
    html: Markup,
}

#[derive(Template)]
#[template(path = "html/list.html")]
struct List<'a> {
    items: &'a [String],
}

/// The page.
pub(super) fn page(report: &Report, contents: &[Filled]) -> anyhow::Result<String> {
    let mut sections = vec![];
    for Filled { name, title, content } in contents.iter().filter(|filled| !filled.content.is_empty()) {
        sections.push(Section { id: name, title, html: content.html()? });
    }
    let notes: Vec<String> = contents.iter().flat_map(|filled| filled.content.noted()).cloned().collect();
    if !notes.is_empty() {
        sections.push(Section {
            id: "unread",
            title: "What could not be read",
            html: Markup::of(&List { items: &notes })?,
        });
    }
    let page = Page {
        report,
        headline: headline(report),
        sections,
        style: Markup::own(palette::styles() + STYLE),
        script: Markup::own(SCRIPT),
        script_hash: base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT.as_bytes())),
    };
    Ok(without_controls(&page.render()?))
}
