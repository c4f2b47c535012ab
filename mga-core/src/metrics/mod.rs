//! Metrics of predictions and attention, accumulated image by image in `f64`.

mod boundary;
mod calibration;
mod classification;
mod confusion;
mod mask_agreement;
mod metric;
mod ranking;
mod segmentation;

pub use boundary::{boundary, boundary_f};
pub use calibration::{CALIBRATION_BINS, Calibration, CalibrationBin};
pub use classification::{ClassificationMetrics, ClassificationSummary, Prediction};
pub use confusion::Confusion;
pub use mask_agreement::{MaskAgreement, MaskSummary, overlap_of_halves};
pub use metric::{Better, Compute, Mapped, Metric, Metrics, Predictions, Scored, Unit, metrics};
pub use ranking::{chance_overlap, roc_area, top_overlap};
pub use segmentation::{SegmentationMetrics, SegmentationSummary};
