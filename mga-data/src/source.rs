//! Where a loader's images come from.

use std::sync::Arc;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::picture::{Mask, Picture};

/// Images, and masks where there are any, by index; shared by the loader's threads.
pub trait Source: Send + Sync {
    /// Decodes image and mask of `index`. The same index gives the same result, on any thread, every time.
    fn load(&self, index: usize) -> Result<(Picture, Option<Mask>)>;

    /// The class of image `index`; `None` where it carries no label.
    fn label(&self, index: usize) -> Option<usize>;

    /// The name of image `index`, for people.
    fn id(&self, index: usize) -> &str;
}

/// The images of a data set without masks, as evaluation and prediction need them.
#[derive(Clone)]
pub struct ImagesOnly(pub Arc<dyn Dataset>);

impl Source for ImagesOnly {
    fn load(&self, index: usize) -> Result<(Picture, Option<Mask>)> {
        Ok((self.0.image(index)?, None))
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.0.records().get(index).and_then(|record| record.label)
    }

    fn id(&self, index: usize) -> &str {
        self.0.records().get(index).map_or("", |record| &record.id)
    }
}
