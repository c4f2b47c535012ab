//! Passes over all numbers: the end of a residual block.

#![expect(clippy::expect_used, reason = "a bench that cannot run says so by panicking")]

mod common;
mod layer;

use criterion::{Criterion, criterion_group, criterion_main};
use mga_core::ops::{add_relu, relu};

fn elementwise(criterion: &mut Criterion) {
    let dims = [8, 256, 56, 56];
    let inputs = [common::noise(&dims), common::noise(&dims)];
    layer::bench(criterion, "elementwise/add_relu 256@56", &inputs, |tape, v| {
        add_relu(tape, v[0].clone(), v[1].clone())
    });
    layer::bench(criterion, "elementwise/relu 256@56", &inputs[..1], |tape, v| relu(tape, v[0].clone()));
}

criterion_group!(benches, elementwise);
criterion_main!(benches);
