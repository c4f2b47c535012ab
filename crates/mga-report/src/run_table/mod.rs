//! Runs as a table: one row a run, one typed column for everything that its folder says in single values.
//!
//! The table is what is listed, filtered, compared and exported ([`to_csv`], [`to_parquet`], [`write_index`]). It is made
//! from [`crate::results::Record`]s and holds nothing that is not in the folders.

mod column;
mod condition;
mod csv_text;
#[cfg(test)]
mod fixture;
mod parquet_bytes;
mod sections;
mod sqlite_index;
mod table;

pub use column::{Column, Kind};
pub use condition::Condition;
pub use csv_text::to_csv;
pub use parquet_bytes::to_parquet;
pub use sqlite_index::{INDEX, write_index};
pub use table::RunTable;
