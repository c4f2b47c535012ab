//! The attentions of this crate: one map, of MGA or of CBAM, and the ways in which it acts on the last features.

mod map;
mod spatial;

use mga_registry::Entry;

use crate::attention::Attentions;

pub use map::MapKind;

/// Returns the attentions of this crate.
#[must_use]
pub fn builtin() -> Vec<Entry<Attentions>> {
    spatial::entries()
}
