//! `data.exclude`: patterns of images to leave out.

use std::cell::RefCell;
use std::collections::BTreeSet;

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::error::{Error, Result};

/// The patterns of `data.exclude`, and which of them ever matched.
pub(super) struct Exclude {
    patterns: Vec<String>,
    set: GlobSet,
    used: RefCell<BTreeSet<usize>>,
}

impl Exclude {
    pub(super) fn new(patterns: &[String]) -> Result<Self> {
        let bad = |e: globset::Error| Error::setting("data.exclude", e.to_string());
        let mut builder = GlobSetBuilder::new();
        for pattern in patterns {
            builder.add(Glob::new(pattern).map_err(bad)?);
        }
        Ok(Self { patterns: patterns.to_vec(), set: builder.build().map_err(bad)?, used: RefCell::default() })
    }

    pub(super) fn covers(&self, id: &str) -> bool {
        let matches = self.set.matches(id);
        self.used.borrow_mut().extend(&matches);
        !matches.is_empty()
    }

    pub(super) fn unused(&self) -> impl Iterator<Item = &String> {
        let used = self.used.borrow();
        self.patterns.iter().enumerate().filter(move |(i, _)| !used.contains(i)).map(|(_, pattern)| pattern)
    }
}
