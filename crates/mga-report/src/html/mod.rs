//! The report as one HTML page that needs nothing but itself: styles, script, plots and pictures are in it, and its
//! content security policy lets it fetch nothing. The plots lie beside it as files too, for a paper.

mod arms_table;
mod calibration;
mod classes;
mod comparisons;
mod curves;
mod environment;
mod figure;
mod gallery;
mod markup;
mod masks;
mod page;
mod pictures;
mod runs_table;
mod search;
mod settings;
mod table;
mod warnings;

use std::path::Path;

use anyhow::Context;
use mga_core::whole_file::write_all;

use super::Report;
use crate::results::Record;

/// The page's name in the report's folder.
pub const PAGE: &str = "index.html";

/// The folder of the plots, beside the page.
pub const FIGURES: &str = "figures";

/// Writes the page and its plots into a folder. `records` are what the report was built from: what `Report::runs` lists, in
/// its order.
///
/// # Errors
/// The folder cannot be written to; as many records as runs are expected. What cannot be read in a run's folder is said on
/// the page.
pub fn write(report: &Report, records: &[Record], out: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        records.len() == report.runs.len(),
        "the page needs the records that the report was built from: {} runs, but {} records",
        report.runs.len(),
        records.len()
    );
    let (page, figures) = page::page(report, records)?;
    let folder = out.join(FIGURES);
    std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let save = |path: &Path, text: &str| {
        write_all(path, text.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))
    };
    for figure in &figures {
        save(&folder.join(format!("{}.svg", figure.name)), &figure.plot.standalone())?;
    }
    save(&out.join(PAGE), &page)
}
