//! `mga report` on folders as a sweep leaves them: every form of the report, and what it says when something is amiss.

mod chosen_columns;
mod fixture;
mod folds;
mod foreign_bytes;
mod forms;
mod hostile;
mod incomplete_sweeps;
mod masks;
mod page;
mod program;
mod searched;
mod selection;
