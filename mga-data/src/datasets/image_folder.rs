//! Images in one folder a class, as most public data sets come.
//!
//! ```text
//! ROOT/train/CLASS/*  ROOT/val/CLASS/*  ROOT/test/CLASS/*      parts given by the folders
//! ROOT/CLASS/*                                                 one tree, split by the experiment
//! ROOT/GENUS/SPECIES/*                                         the same with class_level = 2
//! classes = { bird = ["animals/birds", "more/birds"], ... }    one tree, folders named by hand
//! ROOT/oak_07_2.jpg                                            label = "(?P<class>[a-z]+)_(?P<plant>\\d+)"
//! ```

mod exclude;
mod names;
mod opening;
mod recognised;
mod settings;
mod walk;

use std::sync::Arc;

use mga_registry::Entry;
use serde_json::Value;

use crate::background;
use crate::dataset::Dataset;
use crate::datasets::entry::{Datasets, OfferedMasks, OpenContext, RegisteredDataset, Root, settings};
use crate::error::Result;
use crate::recognition::{Place, Recognised};

pub use opening::open;
pub(crate) use opening::open_as;
pub use settings::{ImageFolderSettings, Layout, OneOrMany};

/// Returns `image-folder` as it is registered.
#[must_use]
pub fn entry() -> Entry<Datasets> {
    let about = "one folder of images a class, split by folders or by the experiment";
    let entry = Entry::<Datasets>::new("image-folder", about, Arc::new(ImageFolder));
    entry.with_settings(schemars::schema_for!(ImageFolderSettings)).with_conditions(&[background::CONDITION])
}

struct ImageFolder;

impl RegisteredDataset for ImageFolder {
    fn open(&self, own: &Value, context: &OpenContext) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(open(&settings("image-folder", own)?, context)?))
    }

    fn root(&self) -> Root {
        Root::Required
    }

    fn masks(&self) -> &[OfferedMasks] {
        &OfferedMasks::OF_FILES
    }

    fn recognise(&self, place: &Place<'_>) -> Result<Option<Recognised>> {
        recognised::recognise(place)
    }
}

#[cfg(test)]
mod tests;
