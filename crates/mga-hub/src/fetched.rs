//! A file of a repository on this machine.

use std::path::PathBuf;

/// A file that is there, whole and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The path of the file.
    pub path: PathBuf,
    /// The commit it is of.
    pub commit: String,
    /// Whether it was downloaded now.
    pub downloaded: bool,
}
