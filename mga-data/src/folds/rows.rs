//! The rows that are folded, before they are.

use std::path::PathBuf;

/// The column of files, where no other is named.
pub(super) const FILE: &str = "file";

/// The rows that are folded, and what is known of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowSettings {
    /// The character between the columns of a table; `None`: detected.
    pub delimiter: Option<char>,
    /// The column of files; `None`: `file`.
    pub file: Option<String>,
    /// A regular expression that reads classes and groups from the names of files, as [`crate::name_pattern::NamePattern`]
    /// does.
    pub label: Option<String>,
    /// Leave out what has a name that the expression does not match, and say so; otherwise that is an error.
    pub skip_errors: bool,
    /// A table with columns `file` and `group`: files of one group stay together, besides those of one group of the table.
    pub keep_together: Option<PathBuf>,
}
