//! `centre`: a Gaussian about the middle of the picture.

use std::sync::Arc;

use mga_registry::Entry;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::masks::settings::MaskSettings;
use crate::masks::source_kind::{MadeOf, MaskControl, MaskSources, RegisteredMaskSource};
use crate::picture::Mask;

/// Standard deviation, as a share of each side.
const SPREAD: f32 = 0.25;

/// Returns `centre` as it is registered.
pub(super) fn entry() -> Entry<MaskSources> {
    let about = "control: a Gaussian around the centre of the image";
    Entry::<MaskSources>::new("centre", about, Arc::new(Centre))
}

struct Centre;

impl RegisteredMaskSource for Centre {
    fn made_of(&self) -> MadeOf {
        MadeOf::Rule
    }

    fn control(&self, _: &MaskSettings, _: &dyn Dataset, _: &str) -> Result<MaskControl> {
        Ok(MaskControl::Drawn(Box::new(gaussian)))
    }

    fn coverage_is_meant(&self) -> bool {
        true
    }
}

/// A Gaussian about the middle, 1 at its peak.
fn gaussian(width: usize, height: usize) -> Mask {
    // Whole numbers up to the division, so that the mask is symmetric to the bit.
    let along = |i: usize, side: usize| (2 * i + 1).abs_diff(side) as f32 / (2 * side) as f32 / SPREAD;
    let mut mask = Mask::filled(width, height, 0.0);
    for (i, value) in mask.values_mut().iter_mut().enumerate() {
        let (x, y) = (along(i % width, width), along(i / width, height));
        *value = (-0.5 * (x * x + y * y)).exp();
    }
    mask
}
