//! `inverted`: 1 minus the mask.

use std::sync::Arc;

use mga_registry::Entry;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::masks::settings::MaskSettings;
use crate::masks::source_kind::{MadeOf, MaskControl, MaskSources, RegisteredMaskSource};
use crate::picture::Mask;

/// Returns `inverted` as it is registered.
pub(super) fn entry() -> Entry<MaskSources> {
    Entry::<MaskSources>::new("inverted", "control: 1 minus the mask", Arc::new(Inverted))
}

struct Inverted;

impl RegisteredMaskSource for Inverted {
    fn made_of(&self) -> MadeOf {
        MadeOf::Masks
    }

    fn control(&self, _: &MaskSettings, _: &dyn Dataset, _: &str) -> Result<MaskControl> {
        Ok(MaskControl::Changed(Box::new(inverted)))
    }

    fn coverage_is_meant(&self) -> bool {
        true
    }
}

fn inverted(mut mask: Mask) -> Mask {
    mask.values_mut().iter_mut().for_each(|v| *v = 1.0 - *v);
    mask
}
