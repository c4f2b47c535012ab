//! A convolution of each kind, forward and both gradients, on the device against the CPU's own kernels in `f64`. Where
//! `MGA_TEST_OUT` names a folder, `convolutions.safetensors` there has the `f32` numbers, for PyTorch to be asked too
//! (`scripts/gpu/convolutions.py`).

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use mga_core::gradient_check::Place;
use mga_core::ops::{self, Conv2dSettings};
use mga_core::random::Generator;
use mga_core::tape::{Engine, Tape};

use crate::compare::{Comparison, numbers};
use crate::place;

/// One kind: channels in and out, side of the image, kernel.
struct Kind {
    name: &'static str,
    channels: (usize, usize),
    side: usize,
    kernel: (usize, usize),
    settings: Conv2dSettings,
}

const fn kind(
    name: &'static str,
    channels: (usize, usize),
    side: usize,
    kernel: (usize, usize),
    (stride, padding, dilation, groups): (usize, (usize, usize), usize, usize),
) -> Kind {
    Kind { name, channels, side, kernel, settings: Conv2dSettings { stride, padding, dilation, groups } }
}

/// As they come in the networks: stride, padding, dilation and groups last.
const KINDS: [Kind; 15] = [
    kind("pointwise", (256, 64), 56, (1, 1), (1, (0, 0), 1, 1)),
    kind("pointwise-strided", (256, 128), 56, (1, 1), (2, (0, 0), 1, 1)),
    kind("stem-7x7", (3, 64), 112, (7, 7), (2, (3, 3), 1, 1)),
    kind("stem-unpadded", (3, 32), 99, (3, 3), (2, (0, 0), 1, 1)),
    kind("3x3", (64, 64), 56, (3, 3), (1, (1, 1), 1, 1)),
    kind("3x3-strided", (128, 128), 28, (3, 3), (2, (1, 1), 1, 1)),
    kind("3x3-unpadded", (32, 48), 35, (3, 3), (1, (0, 0), 1, 1)),
    kind("5x5", (48, 64), 35, (5, 5), (1, (2, 2), 1, 1)),
    kind("1x7", (128, 128), 17, (1, 7), (1, (0, 3), 1, 1)),
    kind("7x1", (128, 128), 17, (7, 1), (1, (3, 0), 1, 1)),
    kind("dilated", (64, 64), 28, (3, 3), (1, (2, 2), 2, 1)),
    kind("grouped", (128, 128), 28, (3, 3), (1, (1, 1), 1, 32)),
    kind("depthwise", (96, 96), 56, (3, 3), (1, (1, 1), 1, 96)),
    kind("depthwise-strided", (96, 96), 56, (3, 3), (2, (1, 1), 1, 96)),
    kind("one-output", (2, 1), 14, (7, 7), (1, (3, 3), 1, 1)),
];

/// Image, weight and what comes down from above, in `f32`.
fn inputs(kind: &Kind) -> Vec<Tensor> {
    // On a CPU the same kinds of smaller images, so that the test is one of seconds.
    let (n, side) = if place().device.is_cpu() { (1, kind.side / 4 + 7) } else { (4, kind.side) };
    let (kh, kw) = kind.kernel;
    let Conv2dSettings { stride, padding, dilation, groups } = kind.settings;
    let out = |padding, kernel| (side + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
    let taps = kind.channels.0 / groups * kh * kw;
    let shapes = [
        ([n, kind.channels.0, side, side], 1.0),
        ([kind.channels.1, kind.channels.0 / groups, kh, kw], 1.0 / (taps as f64).sqrt()),
        ([n, kind.channels.1, out(padding.0, kh), out(padding.1, kw)], 1.0),
    ];
    let mut generator = Generator::new(17, kind.name, &[]);
    let mut drawn = |(dims, scale): ([usize; 4], f64)| {
        let values = (0..dims.iter().product()).map(|_| (generator.normal() * scale) as f32).collect();
        Tensor::from_vec::<_, f32>(values, &dims, &Device::Cpu).unwrap()
    };
    shapes.map(&mut drawn).to_vec()
}

/// Output, gradient of the image, gradient of the weight.
fn convolve(inputs: &[Tensor], settings: Conv2dSettings, dtype: DType, place: &Place) -> [Tensor; 3] {
    let moved = |tensor: &Tensor| tensor.to_dtype(dtype).unwrap().to_device(&place.device).unwrap();
    let mut tape = Tape::train(0, 0).with_engine(place.engine);
    let x = tape.variable(&moved(&inputs[0])).unwrap();
    let w = tape.variable(&moved(&inputs[1])).unwrap();
    let y = ops::conv2d(&mut tape, x.clone(), w.clone(), settings).unwrap();
    let above = moved(&inputs[2]);
    let sum = ops::candle_node(&mut tape, std::slice::from_ref(&y), |t| (&t[0] * &above)?.sum_all()).unwrap();
    let mut gradients = tape.backward(&sum, 1.0).unwrap();
    [y.tensor().clone(), gradients.take(&x).unwrap(), gradients.take(&w).unwrap()]
}

#[test]
fn every_kind_is_that_of_the_cpu() {
    let cpu = Place { engine: Engine::Kernels, device: Device::Cpu };
    let mut c = Comparison::new(format!("convolutions, {}", place()));
    let mut file = HashMap::new();
    for kind in &KINDS {
        let inputs = inputs(kind);
        let exact = convolve(&inputs, kind.settings, DType::F64, &cpu);
        // Sums of ten thousand products: roundings of f32 add up to some 1e-6.
        for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-5)] {
            let found = convolve(&inputs, kind.settings, dtype, &place());
            for (what, (found, exact)) in ["y", "dx", "dw"].into_iter().zip(found.iter().zip(&exact)) {
                c.hold(&format!("{} {what} {dtype:?}", kind.name), &numbers(found), &numbers(exact), tolerance);
                if dtype == DType::F32 {
                    file.insert(format!("{}.{what}", kind.name), found.to_device(&Device::Cpu).unwrap());
                }
            }
        }
        let Conv2dSettings { stride, padding, dilation, groups } = kind.settings;
        let settings = [stride, padding.0, padding.1, dilation, groups].map(|number| number as u32);
        file.insert(format!("{}.settings", kind.name), Tensor::new(&settings, &Device::Cpu).unwrap());
        for (what, tensor) in ["x", "w", "dy"].into_iter().zip(inputs) {
            file.insert(format!("{}.{what}", kind.name), tensor);
        }
    }
    if let Some(folder) = std::env::var_os("MGA_TEST_OUT") {
        candle_core::safetensors::save(&file, Path::new(&folder).join("convolutions.safetensors")).unwrap();
    }
    c.finish();
}
