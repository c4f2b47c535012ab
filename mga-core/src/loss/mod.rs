//! Losses on the tape, one a file: what each computes, its gradient, and its check.
//!
//! A loss takes values of the tape and fixed targets, and gives a scalar of the tape on the device of its inputs. The
//! caller reads it as a number where it needs one, for reading makes the host wait for the device.

mod cross_entropy;
mod dice_loss;
mod focal_loss;
mod label_maps;
mod mask_guided;
mod mask_target;
mod mean_squared_error;
mod objective;
mod pixel_cross_entropy;
mod pixel_objective;
mod scaled_by;
mod targets;

pub use cross_entropy::{cross_entropy, cross_entropy_of, weighted_cross_entropy};
pub use dice_loss::dice_loss;
pub use focal_loss::focal_loss;
pub use label_maps::LabelMaps;
pub use mask_guided::{Guidance, MaskGuidedLoss, MaskGuidedTerms};
pub use mask_target::MaskTarget;
pub use mean_squared_error::{mean_squared_error, weighted_mean_squared_error};
pub use objective::{ClassLoss, ClassObjective, CrossEntropy, FocalSettings, Objectives, Shared, objectives};
pub use pixel_cross_entropy::pixel_cross_entropy;
pub use pixel_objective::{Dice, PixelCrossEntropy, PixelLoss, PixelObjectives, pixel_objectives};
pub use targets::Targets;
