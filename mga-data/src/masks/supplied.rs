//! A data set with one mask source more than it brings: masks from a folder, or made by a segmenter.

use std::sync::Arc;

use crate::dataset::{Dataset, Origin, Record};
use crate::error::Result;
use crate::masks::contents::MaskContents;
use crate::picture::{Mask, Picture};

/// A source of additional masks. The threads of the loader share it.
pub trait MaskSupply: Send + Sync {
    /// The source's name in `data.masks.source`.
    fn name(&self) -> &'static str;

    /// Whether image `index` has a mask, told without decoding pixels.
    fn has(&self, index: usize) -> bool;

    /// What the mask of image `index` is made of.
    fn origin(&self, index: usize) -> Origin;

    /// The mask of image `index` of `dataset`; `picture` is that image, where the caller has it already.
    ///
    /// # Errors
    /// An image or mask that cannot be read or made.
    fn mask(&self, index: usize, dataset: &dyn Dataset, picture: Option<&Picture>) -> Result<Option<Mask>>;

    /// What the file of the mask of image `index` holds; `None`: it lies in no file.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn contents(&self, _index: usize) -> Result<Option<MaskContents>> {
        Ok(None)
    }

    /// Where the mask of image `index` was looked for, for the message that there is none.
    fn missing(&self, _index: usize) -> String {
        String::new()
    }

    /// What was noticed while masks were read, a line each.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The data set `inner`, whose first mask source is the supply's. A source of the same name of its own is hidden.
pub struct Supplied {
    inner: Arc<dyn Dataset>,
    supply: Arc<dyn MaskSupply>,
    sources: Vec<&'static str>,
}

impl Supplied {
    /// Adds the supply's source to those of `inner`.
    pub fn new(inner: Arc<dyn Dataset>, supply: Arc<dyn MaskSupply>) -> Self {
        let name = supply.name();
        let others = inner.mask_sources().iter().copied().filter(|source| *source != name);
        let sources = std::iter::once(name).chain(others).collect();
        Self { inner, supply, sources }
    }
}

impl Dataset for Supplied {
    fn classes(&self) -> &[String] {
        self.inner.classes()
    }

    fn records(&self) -> &[Record] {
        self.inner.records()
    }

    fn image(&self, index: usize) -> Result<Picture> {
        self.inner.image(index)
    }

    fn mask_sources(&self) -> &[&'static str] {
        &self.sources
    }

    fn mask(&self, index: usize, source: &str) -> Result<Option<Mask>> {
        if source == self.supply.name() {
            return self.supply.mask(index, self.inner.as_ref(), None);
        }
        self.inner.mask(index, source)
    }

    fn has_mask(&self, index: usize, source: &str) -> bool {
        if source == self.supply.name() { self.supply.has(index) } else { self.inner.has_mask(index, source) }
    }

    fn origin(&self, index: usize) -> Origin {
        self.inner.origin(index)
    }

    fn mask_origin(&self, index: usize, source: &str) -> Origin {
        if source == self.supply.name() { self.supply.origin(index) } else { self.inner.mask_origin(index, source) }
    }

    fn image_and_mask(&self, index: usize, source: &str) -> Result<(Picture, Option<Mask>)> {
        if source == self.supply.name() {
            let picture = self.inner.image(index)?;
            let mask = self.supply.mask(index, self.inner.as_ref(), Some(&picture))?;
            return Ok((picture, mask));
        }
        self.inner.image_and_mask(index, source)
    }

    fn mask_contents(&self, index: usize, source: &str) -> Result<Option<MaskContents>> {
        if source == self.supply.name() {
            return self.supply.contents(index);
        }
        self.inner.mask_contents(index, source)
    }

    fn missing_mask(&self, index: usize, source: &str) -> String {
        if source == self.supply.name() { self.supply.missing(index) } else { self.inner.missing_mask(index, source) }
    }

    fn mask_notes(&self) -> Vec<String> {
        [self.supply.notes(), self.inner.mask_notes()].concat()
    }

    fn warnings(&self) -> &[String] {
        self.inner.warnings()
    }
}
