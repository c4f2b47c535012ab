//! The sections of one report, with what they show.

use anyhow::Context;
use mga_registry::Entry;

use super::section::{Content, ReportSections, Reported};
use crate::Report;
use crate::results::Record;

/// A section with what it shows.
#[derive(Debug)]
pub struct Filled {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) content: Content,
}

/// Fills the sections of a report, in this order. `records` are what the report was built from: what `Report::runs` lists, in
/// its order.
///
/// # Errors
/// As many records as runs are expected; a section that cannot be filled.
pub fn fill(sections: &[Entry<ReportSections>], report: &Report, records: &[Record]) -> anyhow::Result<Vec<Filled>> {
    anyhow::ensure!(
        records.len() == report.runs.len(),
        "the page needs the records that the report was built from: {} runs, but {} records",
        report.runs.len(),
        records.len()
    );
    let filled = |entry: &Entry<ReportSections>| -> anyhow::Result<Filled> {
        let failed = || format!("the report's section `{}` cannot be made", entry.name);
        let content = entry.item.content(&Reported { report, records }).with_context(failed)?;
        Ok(Filled { name: entry.name.clone(), title: entry.item.title().to_owned(), content })
    };
    sections.iter().map(filled).collect()
}
