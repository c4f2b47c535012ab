//! The transforms of this crate, by the name in `op`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::centre_crop::CentreCrop;
use super::colour_jitter::ColourJitter;
use super::flip::{HorizontalFlip, VerticalFlip};
use super::operation::Operation;
use super::random_crop::RandomCrop;
use super::random_erase::RandomErase;
use super::random_resized_crop::RandomResizedCrop;
use super::resize::Resize;
use super::rotation::Rotation;
use super::shorter_side::ShorterSide;

/// One transform of a pipeline, by the name in `op`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Transform {
    /// Resizes to a size, whatever the aspect.
    Resize(Resize),
    /// Resizes so that the shorter side has a length, keeping the aspect.
    ShorterSide(ShorterSide),
    /// Cuts out the centre; pads on all sides where the picture is smaller.
    CentreCrop(CentreCrop),
    /// Cuts out a random window; pads right and bottom where the picture is smaller.
    RandomCrop(RandomCrop),
    /// Cuts out a window of random area and aspect and resizes it.
    RandomResizedCrop(RandomResizedCrop),
    /// Mirrors left and right.
    HorizontalFlip(HorizontalFlip),
    /// Mirrors top and bottom.
    VerticalFlip(VerticalFlip),
    /// Turns about the centre by a random angle.
    Rotation(Rotation),
    /// Changes brightness, contrast, saturation and hue of the image; the mask stays.
    ColourJitter(ColourJitter),
    /// Zeroes a random rectangle of image and mask.
    RandomErase(RandomErase),
}

impl Transform {
    /// The name in `op`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Resize(_) => "resize",
            Self::ShorterSide(_) => "shorter-side",
            Self::CentreCrop(_) => "centre-crop",
            Self::RandomCrop(_) => "random-crop",
            Self::RandomResizedCrop(_) => "random-resized-crop",
            Self::HorizontalFlip(_) => "horizontal-flip",
            Self::VerticalFlip(_) => "vertical-flip",
            Self::Rotation(_) => "rotation",
            Self::ColourJitter(_) => "colour-jitter",
            Self::RandomErase(_) => "random-erase",
        }
    }

    /// Returns the transform behind the name.
    pub fn operation(&self) -> Arc<dyn Operation> {
        match self.clone() {
            Self::Resize(op) => Arc::new(op),
            Self::ShorterSide(op) => Arc::new(op),
            Self::CentreCrop(op) => Arc::new(op),
            Self::RandomCrop(op) => Arc::new(op),
            Self::RandomResizedCrop(op) => Arc::new(op),
            Self::HorizontalFlip(op) => Arc::new(op),
            Self::VerticalFlip(op) => Arc::new(op),
            Self::Rotation(op) => Arc::new(op),
            Self::ColourJitter(op) => Arc::new(op),
            Self::RandomErase(op) => Arc::new(op),
        }
    }

    /// Returns whether `op` names a transform of this crate.
    #[must_use]
    pub fn is_known(op: &str) -> bool {
        const NAMES: [&str; 10] = [
            "resize",
            "shorter-side",
            "centre-crop",
            "random-crop",
            "random-resized-crop",
            "horizontal-flip",
            "vertical-flip",
            "rotation",
            "colour-jitter",
            "random-erase",
        ];
        NAMES.contains(&op)
    }
}
