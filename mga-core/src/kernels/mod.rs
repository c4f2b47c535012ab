//! CPU kernels for `f32` and `f64`, on contiguous `[N, C, H, W]` slices.
//!
//! Work is cut into pieces by the sizes alone, never by the number of threads, and every number is summed in one fixed
//! order: any number of threads gives the same bits.

pub(crate) mod affine;
pub(crate) mod batch_norm;
pub(crate) mod convolution;
pub(crate) mod dense_layer;
pub(crate) mod depthwise;
pub(crate) mod dispatch;
pub(crate) mod elementwise;
pub(crate) mod interleave;
pub(crate) mod maps;
pub(crate) mod max_pool;
pub(crate) mod micro;
pub(crate) mod padded;
pub(crate) mod product;
pub(crate) mod scratch;
pub(crate) mod shape;
pub(crate) mod tile;
pub(crate) mod transpose;
pub(crate) mod unfold;
pub(crate) mod winograd;

/// A pointer that tasks share to write to places of their own.
pub(crate) struct Shared<T>(*mut T);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Shared<T> {}

// SAFETY: a `Shared` is only made from an exclusive slice that outlives the parallel region, and each use states why its
// task's places are its own.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(values: &mut [T]) -> Self {
        Self(values.as_mut_ptr())
    }

    /// # Safety
    /// `offset` lies within the slice this was made from.
    pub(crate) unsafe fn at(self, offset: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(offset) }
    }

    /// # Safety
    /// `offset..offset + count` lies within the slice, and no other task touches it meanwhile.
    pub(crate) unsafe fn slice<'a>(self, offset: usize, count: usize) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(offset), count) }
    }
}
