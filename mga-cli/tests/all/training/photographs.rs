//! A run on image files with masks, some of which can be damaged.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use mga_testing::{experiments, pictures};

use super::tiny::Tiny;

/// An experiment on two classes of photographs, four in each of train, val and test.
pub(crate) struct Photographs(Tiny);

impl Deref for Photographs {
    type Target = Tiny;

    fn deref(&self) -> &Tiny {
        &self.0
    }
}

impl Photographs {
    /// With these lines more under `[data]`.
    pub(crate) fn new(data: &str) -> Self {
        let tiny = Tiny::of(&experiments::photographs(data).replace("epochs = 1", "epochs = 2"));
        pictures::photographs(tiny.folder());
        Self(tiny)
    }

    pub(crate) fn image(&self, name: &str) -> PathBuf {
        self.path("images").join(name)
    }
}

/// Cuts a file short behind its header; gives what it held.
pub(crate) fn truncate(path: &Path) -> Vec<u8> {
    let whole = std::fs::read(path).unwrap();
    std::fs::write(path, &whole[..60]).unwrap();
    whole
}
