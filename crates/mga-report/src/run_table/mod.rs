//! Runs as a table: one row a run, one typed column for everything that its folder says in single values.
//!
//! The table is what is listed, filtered, compared and exported (`to_csv`, `to_parquet`, `write_index`; the last two are
//! features). It is made from [`crate::results::Record`]s and holds nothing that is not in the folders.

mod column;
mod condition;
mod csv_text;
#[cfg(test)]
mod fixture;
#[cfg(feature = "parquet")]
mod parquet_bytes;
mod sections;
#[cfg(feature = "sqlite")]
mod sqlite_index;
mod table;

pub use column::{Column, Kind};
pub use condition::Condition;
pub use csv_text::to_csv;
#[cfg(feature = "parquet")]
pub use parquet_bytes::to_parquet;
#[cfg(feature = "sqlite")]
pub use sqlite_index::{INDEX, write_index};
pub use table::RunTable;
