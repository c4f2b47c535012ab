//! The transforms of this crate. An explicit list: adding one is a file and a line here.

use mga_registry::Registry;

use super::{
    centre_crop, colour_jitter, flip, patch_grid, patch_sampling, random_crop, random_erase, random_resized_crop,
    resize, rotation, shorter_side,
};

/// Adds the transforms of this crate to `registry`.
pub(crate) fn register(registry: &mut Registry) {
    registry.add(resize::entry());
    registry.add(shorter_side::entry());
    registry.add(centre_crop::entry());
    registry.add(random_crop::entry());
    registry.add(random_resized_crop::entry());
    registry.add(flip::horizontal_entry());
    registry.add(flip::vertical_entry());
    registry.add(rotation::entry());
    registry.add(colour_jitter::entry());
    registry.add(random_erase::entry());
    registry.add(patch_grid::entry());
    registry.add(patch_sampling::entry());
}
