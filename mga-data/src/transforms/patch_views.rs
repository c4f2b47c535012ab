//! The names of patches among the views of an image.

/// The beginning of the names; a number of three digits follows, so that their order is that of the numbers.
const PREFIX: &str = "patch-";

/// The most patches of an image.
pub(super) const MOST: usize = 1000;

/// Returns the name of the view that patch `number` is, in [`crate::Batch::tensors`] too: `patch-003`.
#[must_use]
pub fn patch_name(number: usize) -> String {
    format!("{PREFIX}{number:03}")
}

/// Returns whether a view of this name is a patch. In a [`crate::Batch`], the patches come in the order of their numbers.
#[must_use]
pub fn is_patch(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|number| number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit()))
}
