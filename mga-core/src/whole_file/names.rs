//! The names of files and folders while they are written.

/// The prefix of the names of files that are being written.
pub const TEMPORARY: &str = ".tmp";

/// How the names of folders begin that are being written.
pub(crate) const TEMPORARY_FOLDER: &str = ".export-";
