//! Data for `mga`: data sets by name, masks, joint transforms of image and mask, and a parallel loader.

pub mod annotations;
pub mod area_resize;
pub mod background;
pub mod batch;
pub mod check;
pub mod content_hash;
pub mod dataset;
pub mod datasets;
pub mod decode;
pub mod error;
pub mod export;
pub mod folds;
pub mod label_map;
pub mod labelme;
pub mod loader;
pub mod masks;
pub mod picture;
pub mod registry;
pub mod source;
pub mod split;
pub mod text_file;
pub mod transforms;

pub use batch::Batch;
pub use dataset::{Dataset, Record, Split};
pub use error::{Error, Result};
pub use loader::{Loader, LoaderSettings};
pub use masks::{MaskSettings, MaskSource};
pub use picture::{Mask, Picture};
pub use source::Source;
pub use split::Splits;
pub use transforms::{Pipeline, Transform};
