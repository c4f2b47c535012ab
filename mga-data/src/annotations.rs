//! Annotated images for segmentation: a label map beside each of the images of a data set that has one.
//!
//! | source | the label map |
//! |---|---|
//! | `"masks"` | the data set's own mask of `data.masks.source`: 1 from `threshold` on, 0 below |
//! | `"labelme"` | `NAME.json` of the LabelMe program |
//! | `"index-png"` | `NAME.png` whose numbers are the classes, 255 where a pixel counts nowhere |

mod annotated;
mod label_counts;
mod settings;

pub use self::annotated::Annotated;
pub use self::label_counts::LabelCounts;
pub use self::settings::{AnnotationKind, AnnotationSettings};
