//! Reports: what the runs of a sweep say, with the statistics that reviewers ask for.
//!
//! [`build()`] makes a [`Report`] from the records of runs; every form it is given in (terminal, Markdown, CSV, LaTeX, JSON,
//! the HTML page) is written from that alone, so that all of them say the same.

mod attention_words;
mod baseline;
mod best;
mod build;
mod cells;
mod columns;
mod common;
mod comparing;
mod component_words;
mod data_words;
pub mod escape;
mod flag_evidence;
mod flags;
mod grouping;
pub mod html;
mod images;
mod importance;
pub mod latex;
mod latex_narrow;
mod legend;
pub mod markdown;
mod mask_flags;
mod masks;
mod measures;
mod methods;
pub mod model;
mod pairing;
pub mod plots;
mod recipe;
pub mod results;
pub mod run_table;
mod scores;
mod search;
mod search_cells;
mod search_methods;
mod search_model;
pub mod spreadsheet;
mod table_columns;
mod table_form;
pub mod terminal;
mod text_table;
mod transform_words;
mod trials;
mod wording;

pub use build::{Request, build};
pub use component_words::ComponentWords;
pub use model::Report;
pub use table_form::TableForm;
