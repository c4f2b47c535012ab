//! The samplers of this crate, one a file.

use mga_registry::Registry;

pub mod episodes;

/// Adds the samplers of this crate to `registry`. An explicit list: adding one is a file and a line here.
pub(crate) fn register(registry: &mut Registry) {
    registry.add(episodes::entry());
}
