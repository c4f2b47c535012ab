//! `none`: no image has a mask.

use std::sync::Arc;

use mga_registry::Entry;

use crate::masks::source_kind::{MadeOf, MaskSources, RegisteredMaskSource};

/// Returns `none` as it is registered.
pub(super) fn entry() -> Entry<MaskSources> {
    Entry::<MaskSources>::new("none", "no masks", Arc::new(None))
}

struct None;

impl RegisteredMaskSource for None {
    fn made_of(&self) -> MadeOf {
        MadeOf::Nothing
    }
}
