//! What all benches share.

use std::sync::Once;

use candle_core::{Device, Tensor};
use mga_core::random::Generator;

/// Two threads for every bench, whatever the machine has, and freed memory kept in the process, as the program does.
pub(crate) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        // SAFETY: `mallopt` only changes parameters of the allocator, and no other thread runs yet.
        unsafe {
            libc::mallopt(libc::M_MMAP_MAX, 0);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
            libc::mallopt(libc::M_TOP_PAD, 64 << 20);
        }
        rayon::ThreadPoolBuilder::new().num_threads(2).build_global().expect("the first pool");
    });
}

/// Normally distributed numbers.
pub(crate) fn noise(dims: &[usize]) -> Tensor {
    let mut generator = Generator::new(0, "bench", &[dims.iter().product::<usize>() as u64]);
    let numbers: Vec<f32> = (0..dims.iter().product()).map(|_| generator.normal() as f32).collect();
    Tensor::from_vec(numbers, dims, &Device::Cpu).expect("a tensor")
}
