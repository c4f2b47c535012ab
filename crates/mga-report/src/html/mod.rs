//! The report as one HTML page that needs nothing but itself: styles, script, plots and pictures are in it, and its
//! content security policy lets it fetch nothing. The plots lie beside it as files too, for a paper.
//!
//! The page is put together from sections, which are registered components ([`ReportSection`]).

mod arms_table;
mod calibration;
mod class_counts;
mod classes;
mod comparisons;
mod confusions;
mod curves;
mod environment;
mod figure;
mod filled;
mod gallery;
mod markup;
mod masks;
mod methods;
mod overview;
mod page;
mod pictures;
mod runs_table;
mod search;
mod section;
mod sections;
mod settings;
mod side_by_side;
mod table;
mod warnings;

use std::path::Path;

use anyhow::Context;
use mga_core::whole_file::write_all;

use super::Report;

pub use figure::Figure;
pub use filled::{Filled, fill};
pub(crate) use section::Part;
pub use section::{Content, ReportSection, ReportSections, Reported, SectionPlace};
pub use sections::{builtin, sections};
pub use table::{Cell, Head, Table};

/// The page's name in the report's folder.
pub const PAGE: &str = "index.html";

/// The folder of the plots, beside the page.
pub const FIGURES: &str = "figures";

/// Writes the page and its plots into a folder; `contents` are the [filled](fill) sections.
///
/// # Errors
/// The folder cannot be written to.
pub fn write(report: &Report, contents: &[Filled], out: &Path) -> anyhow::Result<()> {
    let page = page::page(report, contents)?;
    let folder = out.join(FIGURES);
    std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let save = |path: &Path, text: &str| {
        write_all(path, text.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))
    };
    for figure in contents.iter().flat_map(|filled| filled.content.all_figures()) {
        save(&folder.join(format!("{}.svg", figure.name)), &figure.plot.standalone())?;
    }
    save(&out.join(PAGE), &page)
}
