//! `ones`: every mask is 1 everywhere.

use std::sync::Arc;

use mga_registry::Entry;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::masks::settings::MaskSettings;
use crate::masks::source_kind::{MadeOf, MaskControl, MaskSources, RegisteredMaskSource};
use crate::picture::Mask;

/// Returns `ones` as it is registered.
pub(super) fn entry() -> Entry<MaskSources> {
    Entry::<MaskSources>::new("ones", "control: 1 everywhere", Arc::new(Ones))
}

struct Ones;

impl RegisteredMaskSource for Ones {
    fn made_of(&self) -> MadeOf {
        MadeOf::Rule
    }

    fn control(&self, _: &MaskSettings, _: &dyn Dataset, _: &str) -> Result<MaskControl> {
        Ok(MaskControl::Drawn(Box::new(|width, height| Mask::filled(width, height, 1.0))))
    }

    fn coverage_is_meant(&self) -> bool {
        true
    }
}
