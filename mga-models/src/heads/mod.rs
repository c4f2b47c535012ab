//! The heads of this crate, one a file.

mod cosine;
mod linear;
mod vgg;

use mga_registry::Entry;

use crate::head::Heads;

/// Returns the heads of this crate.
#[must_use]
pub fn builtin() -> Vec<Entry<Heads>> {
    vec![linear::entry(), vgg::entry(), cosine::entry()]
}
