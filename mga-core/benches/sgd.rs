//! A step of SGD with momentum and weight decay, on as many parameters as ResNet-50 has.

#![expect(clippy::expect_used, reason = "a bench that cannot run says so by panicking")]

mod common;

use candle_core::{DType, Device};
use criterion::{Criterion, criterion_group, criterion_main};
use mga_core::optim::OptimiserSettings;
use mga_core::parameter::{Init, ParameterStore};

fn sgd(criterion: &mut Criterion) {
    let mut store = ParameterStore::new(0, DType::F32, &Device::Cpu);
    let sides = [(2048, 1024), (512, 4608), (2048, 2048), (1024, 4096), (2048, 4608), (1000, 3000)];
    let gradients: Vec<_> = sides
        .iter()
        .enumerate()
        .map(|(i, &(rows, columns))| {
            let parameter =
                store.root().weight(&format!("w{i}"), (rows, columns), Init::Constant(1.0)).expect("a weight");
            (parameter.id(), common::noise(&[rows, columns]))
        })
        .collect();
    let mut optimiser = OptimiserSettings::default().build(&mga_core::components(), &store).expect("an optimiser");
    common::prepare();
    criterion.bench_function("sgd/25M/step", |bencher| {
        bencher.iter(|| optimiser.step(&store, &gradients, 1e-6).expect("a step"));
    });
}

criterion_group!(benches, sgd);
criterion_main!(benches);
