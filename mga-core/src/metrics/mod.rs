//! How good predictions and attention are, accumulated image by image in `f64`.

mod classification;
mod confusion;
mod mask_agreement;

pub use classification::{ClassificationMetrics, ClassificationSummary, Prediction};
pub use confusion::Confusion;
pub use mask_agreement::{MaskAgreement, MaskSummary};
