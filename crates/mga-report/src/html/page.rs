//! The page put together.

use askama::Template;
use base64::Engine;
use sha2::{Digest, Sha256};

use super::figure::{self, Figure};
use super::markup::Markup;
use super::{
    arms_table, calibration, classes, comparisons, curves, environment, gallery, masks, runs_table, search, settings,
    warnings,
};
use crate::Report;
use crate::cells::headline;
use crate::plots::markup::without_controls;
use crate::plots::palette;
use crate::results::Record;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
#[derive(Template)]
#[template(path = "html/page.html")]
struct Page<'a> {
    report: &'a Report,
    headline: String,
    sections: Vec<Section>,
    style: Markup,
    script: Markup,
    script_hash: String,
}

/// A part of the page.
struct Section {
    id: &'static str,
    title: &'static str,
    html: Markup,
}

#[derive(Template)]
#[template(path = "html/paragraphs.html")]
struct Paragraphs<'a> {
    paragraphs: &'a [String],
}

#[derive(Template)]
#[template(path = "html/list.html")]
struct List<'a> {
    items: &'a [String],
}

/// The page, and the figures in it.
pub(super) fn page(report: &Report, records: &[Record]) -> anyhow::Result<(String, Vec<Figure>)> {
    let compared = comparisons::figures(report);
    let (learning, mut notes) = curves::figures(report, records);
    let (by_class, of_classes) = classes::figures(report, records);
    let (calibrated, of_calibration) = calibration::figures(report, records);
    let (pictures, of_pictures) = gallery::section(report, records)?;
    let (masks, of_masks) = masks::section(report, records)?;
    notes.extend(of_masks);
    notes.extend(of_classes.into_iter().chain(of_calibration).chain(of_pictures));
    let (searched, of_search) = search::section(report)?;
    let (single, matrices): (Vec<&Figure>, Vec<&Figure>) = by_class.iter().partition(|figure| figure.arm.is_none());
    let unread = if notes.is_empty() { None } else { Some(Markup::of(&List { items: &notes })?) };
    let sections = [
        ("warnings", "Before the numbers are trusted", warnings::section(report)?),
        ("table", "Arms", Some(arms_table::section(report)?)),
        ("search", "Search", searched),
        ("baseline", "Against the baseline", figure::element(&compared)?),
        ("curves", "Learning curves", figure::element(&learning)?),
        ("classes", "Classes", figure::element(single)?),
        ("confusion", "Confusion", figure::element(matrices)?),
        ("calibration", "Calibration", figure::element(&calibrated)?),
        ("masks", "Masks", masks),
        ("pictures", "Where the networks looked", pictures),
        ("every-run", "Runs", Some(runs_table::section(report)?)),
        ("settings", "Settings", Some(settings::section(report, records)?)),
        ("environment", "Environment", environment::section(records)?),
        ("methods", "Methods", Some(Markup::of(&Paragraphs { paragraphs: &report.methods })?)),
        ("unread", "What could not be read", unread),
    ];
    let there = sections.into_iter().filter_map(|(id, title, html)| Some(Section { id, title, html: html? }));
    let page = Page {
        report,
        headline: headline(report),
        sections: there.collect(),
        style: Markup::own(palette::styles() + STYLE),
        script: Markup::own(SCRIPT),
        script_hash: base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT.as_bytes())),
    };
    Ok((without_controls(&page.render()?), [compared, of_search, learning, by_class, calibrated].concat()))
}
