//! The resampling of an image.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an image is resampled; every kind is antialiased when the image shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Triangle filter.
    #[default]
    Bilinear,
    /// Catmull and Rom's cubic (PIL's bicubic).
    Bicubic,
    /// Lanczos with three lobes.
    Lanczos,
}

/// What becomes of the values of a resized image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Rounding {
    /// They remain 32-bit numbers.
    #[default]
    #[serde(rename = "none")]
    None,
    /// They are rounded to 8 bits a channel after each axis, as PIL does, and so torchvision and timm.
    #[serde(rename = "8-bit")]
    EightBit,
}
