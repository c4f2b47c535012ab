//! Maps in grey.

use mga_data::{Mask, Picture};

/// Returns a mask or an attention map in grey, 1 white.
#[must_use]
pub fn grey(mask: &Mask) -> Picture {
    let mut picture = Picture::filled(mask.width(), mask.height(), 0.0);
    picture.values_mut().chunks_exact_mut(3).zip(mask.values()).for_each(|(pixel, value)| pixel.fill(*value));
    picture
}
