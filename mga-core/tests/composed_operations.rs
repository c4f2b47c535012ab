//! How many operations of candle a training step takes on the composed engine, which is what runs on a GPU: a number that
//! must not grow with channels, groups or classes, or each of them would cost a launch of a kernel (MobileNet's depthwise
//! convolutions have a thousand groups).
//!
//! Candle has no counter, but every tensor it makes takes the next number of one process-wide sequence as its id
//! (`TensorId::new`, called wherever a tensor is built and nowhere else), so the ids of two fresh tensors tell how many
//! were made between them. That counts views too, and an operation of several launches (im2col, product, copy) as one;
//! what it never misses is a loop. In-place operations make no tensor; the composed engine has none. This file has one
//! test, alone in its process, so that nobody else takes numbers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking, in its helpers too")]

mod network;

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use mga_core::optim::{OptimiserSettings, clip_norm};
use mga_core::tape::{Engine, Tape};

use network::{Network, Sizes};

/// Tensors made while `f` runs.
fn made(f: impl FnOnce()) -> usize {
    let fresh = || {
        let id = format!("{:?}", Tensor::zeros((), DType::U8, &Device::Cpu).unwrap().id());
        let digits: String = id.chars().filter(char::is_ascii_digit).collect();
        digits.parse::<usize>().unwrap_or_else(|_| panic!("candle's tensor ids have changed: {id}"))
    };
    let before = fresh();
    f();
    fresh() - before - 1
}

/// Tensors made by two whole training steps: forward, backward, clipping, SGD with momentum.
fn steps(sizes: &Sizes, dtype: DType) -> usize {
    let network = Network::new(sizes, dtype, &Device::Cpu);
    let mut optimiser = OptimiserSettings::default().build(&mga_core::components(), &network.store).unwrap();
    let images = mga_core::formula::images(2, (32, 32), dtype).unwrap();
    made(|| {
        for step in 0..2 {
            let mut tape = Tape::train(0, step).with_engine(Engine::Composed);
            let loss = network.loss(&mut tape, &images);
            let mut gradients = tape.backward(&loss, 1.0).unwrap().into_parameters();
            let trained = network.store.entries().iter().filter(|entry| entry.is_trained()).count();
            assert_eq!(gradients.len(), trained);
            assert!(clip_norm(&mut gradients, 1e-3).unwrap().to_vec0::<f64>().unwrap().is_finite());
            optimiser.step(&network.store, &gradients, 1.0).unwrap();
        }
    })
}

#[test]
fn a_step_takes_as_many_operations_whatever_the_channels() {
    // The counter itself: one for one, and it sees the loop over groups in candle's own convolution.
    let x = Tensor::ones((1, 16, 4, 4), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(made(|| (0..5).for_each(|_| drop(x.sqr().unwrap()))), 5);
    let candles = |groups: usize| {
        let w = Tensor::ones((16, 16 / groups, 3, 3), DType::F32, &Device::Cpu).unwrap();
        made(|| drop(x.conv2d(&w, 1, 1, 1, groups).unwrap()))
    };
    assert!(candles(16) > candles(2) + 14, "{} {}", candles(16), candles(2));

    // In f16 even the optimiser has no kernels on the CPU.
    for dtype in [DType::F32, DType::F16] {
        let sizes = [(8, 2, 3), (8, 4, 3), (64, 4, 3), (64, 32, 100), (192, 2, 3)];
        let counts: HashMap<_, _> = sizes
            .into_iter()
            .map(|(width, groups, classes)| ((width, groups, classes), steps(&Sizes { width, groups, classes }, dtype)))
            .collect();
        let first = counts[&sizes[0]];
        println!("{dtype:?}: {first} tensors in two steps");
        assert!(first > 1000 && counts.values().all(|&count| count == first), "{dtype:?}: {counts:?}");
    }
}
