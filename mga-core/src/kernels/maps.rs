//! Feature maps as a kernel reads them.

use super::affine::Affine;

/// Some channels of a batch of maps, perhaps a part of more.
pub(crate) struct Maps<'a, T> {
    /// From the first channel of the first image on.
    pub(crate) numbers: &'a [T],
    /// Numbers between two images.
    pub(crate) image: usize,
    /// Done to the numbers as they are read.
    pub(crate) affine: Option<Affine<'a, T>>,
}

impl<T> Clone for Maps<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Maps<'_, T> {}

impl<'a, T> Maps<'a, T> {
    /// Contiguous maps of `channels` planes of `area`.
    pub(crate) fn whole(numbers: &'a [T], channels: usize, area: usize) -> Self {
        Self { numbers, image: channels * area, affine: None }
    }
}
