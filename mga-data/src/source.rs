//! The source of a loader's images.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::picture::{Mask, Picture};

/// Images, and masks where there are any, by index; shared by the loader's threads.
pub trait Source: Send + Sync {
    /// Decodes image and mask of `index`. The same index gives the same result, on any thread, every time.
    fn load(&self, index: usize) -> Result<(Picture, Option<Mask>)>;

    /// A second mask of `index`, whose decoded image is `picture`: one to measure against, not to learn from. None, unless
    /// the source has such masks.
    fn reference(&self, _index: usize, _picture: &Picture) -> Result<Option<Mask>> {
        Ok(None)
    }

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

/// Loads image and mask of `index` and gives them to `look`; a panic becomes an error that names the image.
///
/// # Errors
/// What the source says.
pub fn load_caught(source: &dyn Source, index: usize, look: impl FnOnce((Picture, Option<Mask>))) -> Result<()> {
    caught(source, index, || source.load(index).map(look))
}

/// Runs what loads image `index`; a panic, in a decoder say, becomes an error that names the image.
pub(crate) fn caught<T>(source: &dyn Source, index: usize, load: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        Err(Error::Image { id: name_of(source, index), what: format!("loading it panicked: {text}") })
    })
}

/// The name of an image, also of one that the source does not know.
pub(crate) fn name_of(source: &dyn Source, index: usize) -> String {
    catch_unwind(AssertUnwindSafe(|| source.id(index).to_owned())).unwrap_or_else(|_| format!("image {index}"))
}
