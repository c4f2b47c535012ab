//! A small network with every operator in it.

use candle_core::{DType, Device, Tensor};
use mga_core::attention::SpatialAttention;
use mga_core::loss;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit, DenseBlock, DenseBlockSettings, Linear};
use mga_core::ops::{self, Activation, Conv2dSettings, Gate, Pool2dSettings};
use mga_core::parameter::ParameterStore;
use mga_core::tape::{Tape, Value};

/// Sizes of the network.
pub(crate) struct Sizes {
    pub(crate) width: usize,
    pub(crate) groups: usize,
    pub(crate) classes: usize,
}

/// Dense, grouped, depthwise and strided convolutions, norms, pools, attention, dropout, losses.
pub(crate) struct Network {
    stem: Conv2d,
    norms: [BatchNorm2d; 3],
    depthwise: [Conv2d; 2],
    grouped: Conv2d,
    block: DenseBlock,
    attention: SpatialAttention,
    classifier: Linear,
    pub(crate) store: ParameterStore,
    classes: usize,
}

impl Network {
    pub(crate) fn new(sizes: &Sizes, dtype: DType, device: &Device) -> Self {
        let Sizes { width, groups, classes } = *sizes;
        let mut store = ParameterStore::new(1, dtype, device);
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
    pub(crate) fn loss(&self, tape: &mut Tape, images: &Tensor) -> Value {
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
        let x = ops::attend(tape, x, map.clone(), Gate::Concat).unwrap();
        let x = ops::adaptive_avg_pool2d(tape, x, (1, 1)).unwrap();
        let x = ops::flatten(tape, x).unwrap();
        let x = ops::dropout(tape, x, 0.2).unwrap();
        let logits = self.classifier.forward(tape, x).unwrap();
        let entropy = loss::cross_entropy(tape, logits, &[0, self.classes as u32 - 1], 0.1).unwrap();
        let target = map.tensor().ones_like().unwrap();
        let mse = loss::mean_squared_error(tape, map, &target, &[true, false]).unwrap();
        ops::scaled_sum(tape, &[(entropy, 1.0), (mse, 0.1)]).unwrap()
    }
}
