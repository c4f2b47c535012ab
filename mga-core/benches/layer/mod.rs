//! A layer forward and backward, through a public operator on a tape as in a training step.
//!
//! `cargo bench -p mga-core --bench depthwise` runs one file; `-- '144@56'` picks layers by name. A bench is named
//! `KERNEL/LAYER/forward` or `KERNEL/LAYER/backward`; the times include the allocation of the results. Every bench uses
//! two threads, as `scripts/compare/layers.py` gives PyTorch.

use candle_core::{Device, Tensor};
use criterion::{BatchSize, Criterion};
use mga_core::Result;
use mga_core::recorder::Operator;
use mga_core::tape::{Gradient, Tape, Value};

use crate::common::{noise, prepare};

/// Times `op` of some inputs forward (nothing recorded), and its way back alone: the gradients of all inputs from one of
/// the output.
pub(crate) fn bench(
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
                let loss = tape.record(Operator::new("sum"), &[&y], zero, move |_, gradients| {
                    gradients.add(slot, Gradient::new(dy))
                });
                (tape, loss)
            },
            |(tape, loss)| tape.backward(&loss, 1.0).expect("gradients"),
            BatchSize::PerIteration,
        );
    });
}
