//! The files that are written.

use std::path::{Path, PathBuf};

/// What is written.
pub(super) struct Files {
    pub(super) experiment: PathBuf,
    pub(super) sweep: PathBuf,
    pub(super) table: PathBuf,
}

impl Files {
    pub(super) fn of(out: &Path) -> Self {
        let stem = out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self {
            experiment: out.to_path_buf(),
            sweep: out.with_file_name(format!("{stem}_sweep.toml")),
            table: out.with_file_name(format!("{stem}_folds.csv")),
        }
    }
}
