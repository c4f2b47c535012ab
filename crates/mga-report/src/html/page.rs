//! The page put together.

use base64::Engine;
use sha2::{Digest, Sha256};

use super::figure::Figure;
use super::template::fill;
use super::{
    arms_table, calibration, classes, comparisons, curves, environment, gallery, masks, runs_table, search, settings,
    warnings,
};
use crate::Report;
use crate::cells::{headline, sentences};
use crate::legend::legend;
use crate::plots::markup::escape;
use crate::plots::palette;
use crate::results::Record;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A part of the page.
struct Section {
    id: &'static str,
    title: &'static str,
    html: String,
}

/// The page, and the figures in it.
pub(super) fn page(report: &Report, records: &[Record]) -> (String, Vec<Figure>) {
    let compared = comparisons::figures(report);
    let (learning, mut notes) = curves::figures(report, records);
    let (by_class, of_classes) = classes::figures(report, records);
    let (calibrated, of_calibration) = calibration::figures(report, records);
    let (pictures, of_pictures) = gallery::section(report, records);
    let (masks, of_masks) = masks::section(report, records);
    notes.extend(of_masks);
    notes.extend(of_classes.into_iter().chain(of_calibration).chain(of_pictures));
    let (searched, of_search) = search::section(report);
    let legend = legend(report);
    let legend = if legend.is_empty() { legend } else { format!("<p class=\"note\">{}</p>\n", escape(&legend)) };
    let said: String = sentences(report).iter().map(|text| format!("<li>{}</li>\n", escape(text))).collect();
    let said = if said.is_empty() { said } else { format!("<ul class=\"sentences\">\n{said}</ul>\n") };
    let (single, matrices): (Vec<&Figure>, Vec<&Figure>) = by_class.iter().partition(|figure| figure.arm.is_none());
    let section = |id, title, html| Section { id, title, html };
    let sections = [
        section("warnings", "Before the numbers are trusted", warnings::section(report)),
        section("table", "Arms", arms_table::table(report).element() + &legend + &said),
        section("search", "Search", searched),
        section("baseline", "Against the baseline", figures(&compared.iter().collect::<Vec<_>>())),
        section("curves", "Learning curves", figures(&learning.iter().collect::<Vec<_>>())),
        section("classes", "Classes", figures(&single)),
        section("confusion", "Confusion", figures(&matrices)),
        section("calibration", "Calibration", figures(&calibrated.iter().collect::<Vec<_>>())),
        section("masks", "Masks", masks),
        section("pictures", "Where the networks looked", pictures),
        section("every-run", "Runs", runs_table::table(report).element()),
        section("settings", "Settings", settings::section(report, records)),
        section("environment", "Environment", environment::section(records)),
        section("methods", "Methods", paragraphs(report)),
        section("unread", "What could not be read", list(&notes)),
    ];
    let there = || sections.iter().filter(|section| !section.html.is_empty());
    let contents: String = there().map(|s| format!("<li><a href=\"#{}\">{}</a></li>", s.id, s.title)).collect();
    let body: String = there().map(element).collect();
    let styles = palette::styles() + STYLE;
    let script = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    let values = [
        ("title", escape(&report.title)),
        ("headline", escape(&headline(report))),
        ("made-by", escape(&report.made_by)),
        ("contents", contents),
        ("arms", arms(report)),
        ("sections", body),
        ("style", styles),
        ("script", SCRIPT.to_owned()),
        ("script-hash", script),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let html = fill(TEMPLATE, &values);
    (html, [compared, of_search, learning, by_class, calibrated].concat())
}

fn element(section: &Section) -> String {
    let Section { id, title, html } = section;
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n{html}</section>\n"
    )
}

fn figures(figures: &[&Figure]) -> String {
    if figures.is_empty() {
        return String::new();
    }
    format!("<div class=\"figures\">\n{}</div>\n", figures.iter().map(|figure| figure.element()).collect::<String>())
}

fn paragraphs(report: &Report) -> String {
    report.methods.iter().map(|text| format!("<p>{}</p>\n", escape(text))).collect()
}

fn list(notes: &[String]) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let items: String = notes.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
    format!("<ul>\n{items}</ul>\n")
}

/// Boxes that show and hide an arm in every plot.
fn arms(report: &Report) -> String {
    if report.arms.len() < 2 {
        return String::new();
    }
    let boxes = report.arms.iter().enumerate().map(|(index, arm)| {
        let (swatch, name) = (arms_table::swatch(index), escape(&arm.name));
        format!("<label><input type=\"checkbox\" data-shows=\"{index}\" checked> {swatch} {name}</label>\n")
    });
    format!(
        "<fieldset id=\"shown\"><legend>Arms in plots and pictures</legend>\n{}</fieldset>\n",
        boxes.collect::<String>()
    )
}
