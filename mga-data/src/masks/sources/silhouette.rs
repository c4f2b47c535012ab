//! `silhouette`, where the data set does not know the outline itself: the convex hull of its own mask.

use std::sync::Arc;

use mga_registry::Entry;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::masks::hull;
use crate::masks::settings::MaskSettings;
use crate::masks::source_kind::{MadeOf, MaskControl, MaskSources, RegisteredMaskSource};

/// Returns `silhouette` as it is registered.
pub(super) fn entry() -> Entry<MaskSources> {
    let about = "control: the convex hull of the mask";
    Entry::<MaskSources>::new("silhouette", about, Arc::new(Silhouette))
}

struct Silhouette;

impl RegisteredMaskSource for Silhouette {
    fn made_of(&self) -> MadeOf {
        MadeOf::Masks
    }

    fn control(&self, _: &MaskSettings, _: &dyn Dataset, _: &str) -> Result<MaskControl> {
        Ok(MaskControl::Changed(Box::new(|mask| hull::filled(&mask))))
    }
}
