//! Repeated, stratified k folds that keep groups together, as columns of a table to keep.

mod folder;
mod k_folds;
mod keep_together;
mod named;
mod rows;
mod table;

pub use folder::write_folds_of_folder;
pub use k_folds::{FoldSettings, Folds, k_folds};
pub use rows::RowSettings;
pub use table::write_folds;

#[cfg(test)]
mod tests;
