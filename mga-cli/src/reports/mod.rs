//! Reports: what the runs of a sweep say, with the statistics that reviewers ask for.
//!
//! [`build`] makes a [`Report`] from the records of runs; every form it is given in (terminal, Markdown, CSV, LaTeX, JSON,
//! the HTML page) is written from that alone, so that all of them say the same.

pub mod model;

pub use model::Report;
