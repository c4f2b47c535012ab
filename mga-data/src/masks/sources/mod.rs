//! The mask sources of this crate, one a file. An explicit list: adding one is a file and a line here.
//!
//! Segmenters are sources too; the crate that runs them registers each by an adaptor.

mod alpha;
mod centre;
mod folder;
mod inverted;
mod none;
mod ones;
mod shuffled;
mod silhouette;

use mga_registry::Registry;

pub(crate) use alpha::Alpha;

/// Adds the mask sources of this crate to `registry`.
pub(crate) fn register(registry: &mut Registry) {
    registry.add(folder::entry());
    registry.add(ones::entry());
    registry.add(shuffled::entry());
    registry.add(inverted::entry());
    registry.add(centre::entry());
    registry.add(silhouette::entry());
    registry.add(none::entry());
}
