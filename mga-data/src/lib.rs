//! Data for `mga`: data sets by name, masks, joint transforms of image and mask, and a parallel loader.

pub mod area_resize;
pub mod background;
pub mod dataset;
pub mod datasets;
pub mod decode;
pub mod error;
pub mod masks;
pub mod picture;
pub mod registry;

pub use dataset::{Dataset, Record, Split};
pub use error::{Error, Result};
pub use masks::{MaskSettings, MaskSource};
pub use picture::{Mask, Picture};
