//! Batch normalisation with the batch's statistics, and the rectifier behind it.

#![expect(clippy::expect_used, reason = "a bench that cannot run says so by panicking")]

mod common;
mod layer;

use candle_core::{DType, Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use mga_core::ops::{self, Activation, BatchNormInputs};

fn batch_norm(criterion: &mut Criterion) {
    for (channels, side) in [(64, 112), (256, 56), (512, 7)] {
        let ones = Tensor::ones(channels, DType::F32, &Device::Cpu).expect("ones");
        let inputs = [common::noise(&[8, channels, side, side]), ones.clone(), ones.clone()];
        layer::bench(criterion, &format!("batch_norm/relu {channels}@{side}"), &inputs, |tape, v| {
            let ones = tape.constant(&ones)?;
            let inputs = BatchNormInputs {
                weight: v[1].clone(),
                bias: v[2].clone(),
                running: (ones.clone(), ones.clone()),
                batch_statistics: true,
                eps: 1e-5,
            };
            Ok(ops::batch_norm(tape, v[0].clone(), inputs, Activation::Relu)?.0)
        });
    }
}

criterion_group!(benches, batch_norm);
criterion_main!(benches);
