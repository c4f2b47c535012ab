//! Depthwise 3 x 3 convolutions: the layers of MobileNetV2 at 224 pixels.

#![expect(clippy::expect_used, reason = "a bench that cannot run says so by panicking")]

mod common;
mod layer;

use criterion::{Criterion, criterion_group, criterion_main};
use mga_core::ops::{Conv2dSettings, conv2d};

fn depthwise(criterion: &mut Criterion) {
    let layers = [
        (32, 112, 1),
        (96, 112, 2),
        (144, 56, 1),
        (144, 56, 2),
        (192, 28, 1),
        (384, 14, 1),
        (576, 14, 1),
        (576, 14, 2),
        (960, 7, 1),
    ];
    for (channels, side, stride) in layers {
        let settings = Conv2dSettings { stride, padding: (1, 1), groups: channels, ..Conv2dSettings::default() };
        let inputs = [common::noise(&[8, channels, side, side]), common::noise(&[channels, 1, 3, 3])];
        layer::bench(criterion, &format!("depthwise/{channels}@{side} s{stride}"), &inputs, |tape, v| {
            conv2d(tape, v[0].clone(), v[1].clone(), settings)
        });
    }
}

criterion_group!(benches, depthwise);
criterion_main!(benches);
