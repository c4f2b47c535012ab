//! Segmenters at work: opened from settings, applied to pictures of any size, their masks kept with a record of their
//! origin.

mod maker;
mod provenance;
mod source;
mod view;
mod weights;

pub use maker::{Maker, cache_folder};
pub use provenance::{Provenance, RECORD, TrainedOn, training_images};
pub use source::with_segmenters;
pub use view::View;
pub use weights::{TrainedImage, written_images};
