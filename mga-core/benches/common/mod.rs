//! What the benches of the kernels share: each goes through a public operator on a tape, as a training step does.
//!
//! `cargo bench -p mga-core --bench depthwise` runs one; `-- '144@56'` picks layers by name. A bench is named
//! `KERNEL/LAYER/forward` or `KERNEL/LAYER/backward`; the times include the allocation of the results. Every bench uses
//! two threads, as `scripts/compare/layers.py` gives PyTorch.

use std::sync::Once;

use candle_core::{Device, Tensor};
use criterion::{BatchSize, Criterion};
use mga_core::Result;
use mga_core::random::Generator;
use mga_core::tape::{Gradient, Tape, Value};

/// Two threads for every bench, whatever the machine has, and freed memory kept in the process, as the program does.
pub fn prepare() {
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
pub fn noise(dims: &[usize]) -> Tensor {
    let mut generator = Generator::new(0, "bench", &[dims.iter().product::<usize>() as u64]);
    let numbers: Vec<f32> = (0..dims.iter().product()).map(|_| generator.normal() as f32).collect();
    Tensor::from_vec(numbers, dims, &Device::Cpu).expect("a tensor")
}

/// Times `op` of some inputs forward (nothing recorded), and its way back alone: the gradients of all inputs from one of
/// the output.
pub fn layer(
    criterion: &mut Criterion,
    name: &str,
    inputs: &[Tensor],
    op: impl Fn(&mut Tape, &[Value]) -> Result<Value>,
) {
    prepare();
    criterion.bench_function(&format!("{name}/forward"), |bencher| {
        bencher.iter(|| {
            let mut tape = Tape::eval();
            let values: Vec<Value> = inputs.iter().map(|t| tape.constant(t).expect("a constant")).collect();
            op(&mut tape, &values).expect("an output")
        });
    });
    criterion.bench_function(&format!("{name}/backward"), |bencher| {
        bencher.iter_batched(
            || {
                let mut tape = Tape::train(0, 0);
                let values: Vec<Value> = inputs.iter().map(|t| tape.variable(t).expect("a variable")).collect();
                let y = op(&mut tape, &values).expect("an output");
                let (slot, dy) = (y.slot(), noise(y.dims()));
                let zero = Tensor::zeros((), dy.dtype(), &Device::Cpu).expect("a zero");
                let loss = tape.record(&[&y], zero, move |_, gradients| gradients.add(slot, Gradient::new(dy)));
                (tape, loss)
            },
            |(tape, loss)| tape.backward(&loss, 1.0).expect("gradients"),
            BatchSize::PerIteration,
        );
    });
}
