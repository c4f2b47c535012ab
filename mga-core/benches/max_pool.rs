//! Max pooling: the stem of ResNet and DenseNet, and the pools of VGG.

#![expect(clippy::expect_used, reason = "a bench that cannot run says so by panicking")]

mod common;
mod layer;

use criterion::{Criterion, criterion_group, criterion_main};
use mga_core::ops::{Pool2dSettings, max_pool2d};

fn max_pool(criterion: &mut Criterion) {
    for (channels, side, kernel, padding) in [(64, 112, 3, 1), (64, 224, 2, 0), (256, 56, 2, 0)] {
        let settings = Pool2dSettings { kernel, stride: 2, padding };
        let name = format!("max_pool/{channels}@{side} k{kernel}");
        layer::bench(criterion, &name, &[common::noise(&[8, channels, side, side])], |tape, v| {
            max_pool2d(tape, v[0].clone(), settings)
        });
    }
}

criterion_group!(benches, max_pool);
criterion_main!(benches);
