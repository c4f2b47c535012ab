//! Keeps the memory of one training step for the next.
//!
//! Every step allocates and frees the same activations. By default glibc returns large blocks to the system at once, and
//! the next step pays for fresh pages: a third of the quickstart's processor time.

/// Makes the process keep freed memory. It has no effect if the C library is not glibc.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` only changes parameters of the allocator, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
        // One pool: what a worker frees, the main thread can use.
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
