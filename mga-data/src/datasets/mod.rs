//! The data sets, one a file.

pub mod entry;
pub(crate) mod file_set;
#[cfg(feature = "hub")]
pub mod hub;
pub mod image_folder;
pub mod label_pickle;
pub mod labels;
pub(crate) mod listing;
pub mod mganet;
pub mod omniglot;
pub mod split_folders;
pub mod split_tables;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod usual_folder;

pub use file_set::FileSet;
#[cfg(feature = "candle-datasets")]
pub mod candle;
pub mod leaves;
