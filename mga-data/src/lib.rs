//! Data for `mga`: data sets by name, masks, joint transforms of image and mask, and a parallel loader.

pub mod dataset;
pub mod datasets;
pub mod error;
pub mod export;
pub mod picture;
pub mod registry;

pub use dataset::{Dataset, Record, Split};
pub use error::{Error, Result};
pub use picture::{Mask, Picture};
