//! `data-check.json`: what `mga data check --record` found of images that are alike.

use std::path::Path;

use mga_data::check::DataReport;
use serde::{Deserialize, Serialize};

use super::json_file;

/// The name of the file in the folder of a run or a sweep.
pub const DATA_CHECK: &str = "data-check.json";

/// How many images are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DataCheck {
    /// Images that were looked at.
    pub images: usize,
    /// Settings of the data that were looked at, such as folds; the counts are those of the one with the most.
    pub settings: usize,
    /// Sets of images with the same pixels, in whatever parts.
    pub copies: usize,
    /// Images with a near duplicate in another part.
    pub near_duplicates: usize,
    /// Bits of 256 in which perceptual hashes of near duplicates differ at most.
    pub near_bits: u32,
}

impl DataCheck {
    /// Counts what is alike under one more setting. Of several settings, the one with the most counts.
    pub fn count(&mut self, report: &DataReport) {
        self.settings += 1;
        self.images = self.images.max(report.images);
        self.copies = self.copies.max(report.duplicates.len());
        self.near_duplicates = self.near_duplicates.max(report.near_duplicates.len());
    }

    /// Reads the file of a run, or of the sweep that it lies in; `None`: nobody checked.
    pub(super) fn of_run(folder: &Path, notes: &mut Vec<String>) -> Option<Self> {
        let sweep = folder.parent().and_then(Path::parent);
        let folders = [Some(folder), sweep].into_iter().flatten();
        let found = folders.into_iter().find(|folder| folder.join(DATA_CHECK).is_file())?;
        json_file::read(found, DATA_CHECK, notes)
    }
}
