//! A buffer per thread that kernels borrow and give back, so that no step allocates it anew.

use std::cell::RefCell;

use crate::element::Element;

thread_local! {
    static BUFFER: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with `count` numbers that hold anything.
pub(crate) fn with_scratch<T: Element, R>(count: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    // Taken out while in use: a nested call (rayon may run another task of ours while waiting) gets a buffer of its own.
    let mut buffer = BUFFER.with(|cell| std::mem::take(&mut *cell.borrow_mut()));
    let words = (count * size_of::<T>()).div_ceil(size_of::<u64>());
    if buffer.len() < words {
        buffer.resize(words, 0);
    }
    // SAFETY: the buffer is initialised, aligned for 8 bytes (T is f32 or f64), holds at least `count` numbers, and any
    // bit pattern is a number.
    let numbers = unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<T>(), count) };
    let result = f(numbers);
    BUFFER.with(|cell| *cell.borrow_mut() = buffer);
    result
}
