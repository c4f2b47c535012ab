//! Every data set that an experiment can name. An explicit table: adding one is a file and a line here.

use std::sync::Arc;

pub use crate::datasets::entry::{DatasetEntry, OpenContext, settings};
use crate::datasets::image_folder::{self, ImageFolderSettings};
use crate::datasets::mganet::{self, MgaNetSettings};
use crate::datasets::table::{self, TableSettings};

/// The data sets of this crate.
pub fn builtin() -> Vec<DatasetEntry> {
    vec![
        DatasetEntry {
            name: "image-folder",
            about: "one folder of images a class, split by folders or by the experiment",
            schema: || schemars::schema_for!(ImageFolderSettings),
            needs_root: true,
            open: |own, context| Ok(Arc::new(image_folder::open(&settings("image-folder", own)?, context)?)),
        },
        DatasetEntry {
            name: "mganet",
            about: "the MGANet authors' layout: train/, test/, l2_mask/ and labels.pkl or labels.csv",
            schema: || schemars::schema_for!(MgaNetSettings),
            needs_root: true,
            open: |own, context| Ok(Arc::new(mganet::open(&settings("mganet", own)?, context)?)),
        },
        DatasetEntry {
            name: "table",
            about: "a CSV of files and labels, with groups, splits, masks and folds; or two-column lists (UFG)",
            schema: || schemars::schema_for!(TableSettings),
            needs_root: false,
            open: |own, context| Ok(Arc::new(table::open(&settings("table", own)?, context)?)),
        },
        crate::datasets::leaves::ENTRY,
        #[cfg(feature = "hub")]
        crate::datasets::hub::ENTRY,
        #[cfg(feature = "candle-datasets")]
        crate::datasets::candle::CIFAR10,
        #[cfg(feature = "candle-datasets")]
        crate::datasets::candle::MNIST,
        #[cfg(feature = "candle-datasets")]
        crate::datasets::candle::FASHION_MNIST,
    ]
}
