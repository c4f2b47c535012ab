//! Settings of a check of the data.

use crate::error::{Error, Result};

/// Settings of a check of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckSettings {
    /// Perceptual hashes of 256 bits that differ in at most so many are near duplicates, mirrored and turned ones too;
    /// unrelated photographs differ in about 128. 0 compares exact copies only.
    pub near_distance: u32,
    /// Threads; 0: one for every core.
    pub threads: usize,
}

impl Default for CheckSettings {
    fn default() -> Self {
        Self { near_distance: 24, threads: 0 }
    }
}

impl CheckSettings {
    /// The threads that look at images.
    pub(super) fn pool(&self) -> Result<rayon::ThreadPool> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build();
        pool.map_err(|e| Error::settings(format!("cannot start {} threads: {e}", self.threads)))
    }
}
