//! Convolutions: 3 x 3, pointwise, the 7 x 7 stem, and small planes that are computed batch by batch.

#![expect(clippy::expect_used, reason = "a bench that cannot run says so by panicking")]

mod common;
mod layer;

use criterion::{Criterion, criterion_group, criterion_main};
use mga_core::ops::{Conv2dSettings, conv2d};

fn convolutions(criterion: &mut Criterion) {
    // name, channels, side, outputs, kernel, stride; batch 8
    let layers = [
        ("stem7x7 3-64@224", 3, 224, 64, 7, 2),
        ("3x3 64-64@56", 64, 56, 64, 3, 1),
        ("3x3 192-48@28", 192, 28, 48, 3, 1),
        ("3x3 512-512@7", 512, 7, 512, 3, 1),
        ("1x1 256-192@28", 256, 28, 192, 1, 1),
        ("1x1 1024-512@7", 1024, 7, 512, 1, 1),
    ];
    for (name, channels, side, outputs, kernel, stride) in layers {
        let settings = Conv2dSettings { stride, padding: (kernel / 2, kernel / 2), ..Conv2dSettings::default() };
        let inputs = [common::noise(&[8, channels, side, side]), common::noise(&[outputs, channels, kernel, kernel])];
        layer::bench(criterion, &format!("convolution/{name}"), &inputs, |tape, v| {
            conv2d(tape, v[0].clone(), v[1].clone(), settings)
        });
    }
}

criterion_group!(benches, convolutions);
criterion_main!(benches);
