//! How many operations of candle a training step takes on the composed engine, which is what runs on a GPU: a number that
//! must not grow with channels, groups or classes, or each of them would cost a launch of a kernel (MobileNet's depthwise
//! convolutions have a thousand groups).
//!
//! Candle has no counter, but every tensor it makes takes the next number of one process-wide sequence as its id
//! (`TensorId::new`, called wherever a tensor is built and nowhere else), so the ids of two fresh tensors tell how many
//! were made between them. That counts views too, and an operation of several launches (im2col, product, copy) as one;
//! what it never misses is a loop. This file has one test, alone in its process, so that nobody else takes numbers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking, in its helpers too")]

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use mga_core::attention::SpatialAttention;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit, DenseBlock, DenseBlockSettings, Linear};
use mga_core::ops::{self, Activation, Attention, Conv2dSettings, Pool2dSettings};
use mga_core::optim::{OptimiserSettings, clip_norm};
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Engine, Tape, Value};

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

/// Sizes of the network that is counted.
struct Sizes {
    width: usize,
    groups: usize,
    classes: usize,
}

/// Every operator once or more: dense, grouped, depthwise and strided convolutions, pools, attention, losses.
struct Network {
    stem: Conv2d,
    norms: [BatchNorm2d; 3],
    depthwise: [Conv2d; 2],
    grouped: Conv2d,
    block: DenseBlock,
    attention: SpatialAttention,
    classifier: Linear,
    store: ParameterStore,
    classes: usize,
}

impl Network {
    fn new(sizes: &Sizes, dtype: DType) -> Self {
        let Sizes { width, groups, classes } = *sizes;
        let mut store = ParameterStore::new(1, dtype, &Device::Cpu);
        let mut root = store.root();
        let mut conv = |name: &str, channels, kernel, stride, groups| {
            let settings = Conv2dSettings { stride, padding: (1, 1), dilation: 1, groups };
            Conv2d::with_bias(root.pp(name), channels, (kernel, kernel), settings, ConvInit::FanIn).unwrap()
        };
        let stem = conv("stem", (3, width), 3, 2, 1);
        let depthwise = [1, 2].map(|stride| conv(&format!("depthwise{stride}"), (width, width), 3, stride, width));
        let grouped = conv("grouped", (width, width), 3, 1, groups);
        let norms = [0, 1, 2]
            .map(|index| BatchNorm2d::new(root.pp("norm").pp(index), width, BatchNormSettings::default()).unwrap());
        let dense = DenseBlockSettings { layers: 2, channels: width, growth: width / 2, bottleneck: 2 };
        let block = DenseBlock::new(root.pp("block"), dense).unwrap();
        let attention = SpatialAttention::new(root.pp("attention")).unwrap();
        let classifier = Linear::new(root.pp("classifier"), 2 * dense.out_channels(), classes).unwrap();
        Self { stem, norms, depthwise, grouped, block, attention, classifier, store, classes }
    }

    /// Cross entropy and mask loss of a batch.
    fn loss(&self, tape: &mut Tape, images: &Tensor) -> Value {
        let x = tape.constant(images).unwrap();
        let x = self.stem.forward(tape, x).unwrap();
        let x = self.norms[0].forward(tape, x, Activation::Relu6).unwrap();
        let pool = Pool2dSettings { kernel: 3, stride: 2, padding: 1 };
        let x = ops::max_pool2d(tape, x, pool).unwrap();
        let y = self.depthwise[0].forward(tape, x.clone()).unwrap();
        let y = self.norms[1].forward(tape, y, Activation::Relu).unwrap();
        let y = self.grouped.forward(tape, y).unwrap();
        let x = ops::add_relu(tape, x, y).unwrap();
        let x = self.depthwise[1].forward(tape, x).unwrap();
        let x = self.norms[2].forward(tape, x, Activation::Identity).unwrap();
        let x = ops::avg_pool2d(tape, x, Pool2dSettings { kernel: 2, stride: 1, padding: 0 }).unwrap();
        let x = self.block.forward(tape, x).unwrap();
        let map = self.attention.forward(tape, x.clone()).unwrap();
        let x = ops::attend(tape, x, map.clone(), Attention::Concat, (0.5, 0.5)).unwrap();
        let x = ops::adaptive_avg_pool2d(tape, x, (1, 1)).unwrap();
        let x = ops::flatten(tape, x).unwrap();
        let x = ops::dropout(tape, x, 0.2).unwrap();
        let logits = self.classifier.forward(tape, x).unwrap();
        let entropy = ops::cross_entropy(tape, logits, &[0, self.classes as u32 - 1], 0.1).unwrap();
        let target = map.tensor().ones_like().unwrap();
        let mse = ops::mean_squared_error(tape, map, &target, &[true, false]).unwrap();
        ops::scaled_sum(tape, &[(entropy, 1.0), (mse, 0.1)]).unwrap()
    }
}

/// Tensors made by two whole training steps: forward, backward, clipping, SGD with momentum.
fn steps(sizes: &Sizes, dtype: DType) -> usize {
    let network = Network::new(sizes, dtype);
    let mut optimiser = OptimiserSettings::default().build(&network.store).unwrap();
    let images = mga_core::formula::images(2, (32, 32), dtype).unwrap();
    made(|| {
        for step in 0..2 {
            let mut tape = Tape::train(0, step).with_engine(Engine::Composed);
            let loss = network.loss(&mut tape, &images);
            let mut gradients = tape.backward(&loss, 1.0).unwrap().into_parameters();
            let trained = network.store.entries().iter().filter(|entry| entry.is_trained()).count();
            assert_eq!(gradients.len(), trained);
            assert!(clip_norm(&mut gradients, 1e-3).unwrap().is_finite());
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
