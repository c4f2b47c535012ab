//! Matrix products, through the `gemm` crate (which picks AVX-512, AVX2 or NEON when the program runs).

use crate::element::Element;

/// A matrix in memory: where it starts and how far apart rows and columns are.
pub(crate) struct Matrix<P> {
    pub(crate) at: P,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// `c = a b`, or `c += a b` where `add`; `a` is `m x k`, `b` is `k x n`. On the calling thread alone: callers cut the work.
///
/// # Safety
/// Every element that the sizes and strides reach lies within its allocation, and nothing else touches `c` meanwhile.
pub(crate) unsafe fn gemm<T: Element>(
    (m, k, n): (usize, usize, usize),
    a: Matrix<*const T>,
    b: Matrix<*const T>,
    c: Matrix<*mut T>,
    add: bool,
) {
    let one = T::of(1.0);
    // SAFETY: the caller's promise.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.at,
            c.column as isize,
            c.row as isize,
            add,
            a.at,
            a.column as isize,
            a.row as isize,
            b.at,
            b.column as isize,
            b.row as isize,
            one,
            one,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
