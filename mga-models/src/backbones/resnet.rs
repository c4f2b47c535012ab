//! ResNet (He et al. 2016), as torchvision builds it: the stride of a bottleneck is in its 3 x 3 convolution.

use mga_core::Result;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use mga_core::ops::{self, Activation, Conv2dSettings, Pool2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};

use crate::backbone::{Backbone, Stage, StageId, run_stages};
use crate::head::HeadKind;
use crate::registry::BackboneEntry;
use crate::weights::PublishedWeights;

/// torchvision's classifier and the authors' numbered children, to our names.
const RENAMES: &[(&str, &str)] = &[
    ("fc", "classifier"),
    ("features.0", "conv1"),
    ("features.1", "bn1"),
    ("features.4", "layer1"),
    ("features.5", "layer2"),
    ("features.6", "layer3"),
    ("features.7", "layer4"),
];

macro_rules! entry {
    ($name:literal, $blocks:expr, $bottleneck:literal) => {
        BackboneEntry {
            name: $name,
            about: concat!("ResNet (He et al. 2016), torchvision's ", $name),
            build: |builder| Ok(Box::new(ResNet::new(builder, $blocks, $bottleneck)?)),
            head: HeadKind::Linear { relu: false, dropout: 0.0, name: "classifier" },
            renames: RENAMES,
        }
    };
}

/// Every ResNet.
pub const RESNETS: &[BackboneEntry] = &[
    entry!("resnet18", [2, 2, 2, 2], false),
    entry!("resnet34", [3, 4, 6, 3], false),
    entry!("resnet50", [3, 4, 6, 3], true),
    entry!("resnet101", [3, 4, 23, 3], true),
    entry!("resnet152", [3, 8, 36, 3], true),
];

macro_rules! published {
    ($name:literal, $tag:literal) => {
        PublishedWeights {
            name: concat!("timm/", $name, ".", $tag),
            repo: concat!("timm/", $name, ".", $tag),
            component: $name,
            interpolation: "bilinear",
            licence: "bsd-3-clause",
            ..PublishedWeights::TIMM
        }
    };
}

/// Published weights: torchvision's first ones (`tv_in1k`), and timm's own resnet50 (Wightman et al. 2021, recipe A1).
pub const WEIGHTS: &[PublishedWeights] = &[
    published!("resnet18", "tv_in1k"),
    published!("resnet34", "tv_in1k"),
    published!("resnet50", "tv_in1k"),
    published!("resnet101", "tv_in1k"),
    published!("resnet152", "tv_in1k"),
    PublishedWeights {
        interpolation: "bicubic",
        licence: "apache-2.0",
        default: false,
        ..published!("resnet50", "a1_in1k")
    },
];

/// Stages `stem`, `layer1`, …, `layer4`.
struct ResNet {
    stages: Vec<Stage>,
    stem: ConvNorm,
    layers: Vec<Vec<Block>>,
}

struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl ConvNorm {
    fn new(
        builder: &mut Builder<'_>,
        (conv, norm): (&str, &str),
        channels: (usize, usize),
        kernel: usize,
        stride: usize,
    ) -> Result<Self> {
        let settings = Conv2dSettings { stride, padding: (kernel / 2, kernel / 2), ..Conv2dSettings::default() };
        Ok(Self {
            conv: Conv2d::new(builder.pp(conv), channels, (kernel, kernel), settings, ConvInit::HeFanOut)?,
            norm: BatchNorm2d::new(builder.pp(norm), channels.1, BatchNormSettings::default())?,
        })
    }

    fn forward(&self, tape: &mut Tape, x: Value, activation: Activation) -> Result<Value> {
        let y = self.conv.forward(tape, x)?;
        self.norm.forward(tape, y, activation)
    }
}

struct Block {
    convolutions: Vec<ConvNorm>,
    downsample: Option<ConvNorm>,
}

impl Block {
    fn new(
        mut builder: Builder<'_>,
        channels: usize,
        width: usize,
        stride: usize,
        bottleneck: bool,
    ) -> Result<(Self, usize)> {
        let b = &mut builder;
        let (convolutions, out) = if bottleneck {
            let out = 4 * width;
            let first = ConvNorm::new(b, ("conv1", "bn1"), (channels, width), 1, 1)?;
            let second = ConvNorm::new(b, ("conv2", "bn2"), (width, width), 3, stride)?;
            (vec![first, second, ConvNorm::new(b, ("conv3", "bn3"), (width, out), 1, 1)?], out)
        } else {
            let first = ConvNorm::new(b, ("conv1", "bn1"), (channels, width), 3, stride)?;
            (vec![first, ConvNorm::new(b, ("conv2", "bn2"), (width, width), 3, 1)?], width)
        };
        let downsample = if stride != 1 || channels != out {
            Some(ConvNorm::new(&mut b.pp("downsample"), ("0", "1"), (channels, out), 1, stride)?)
        } else {
            None
        };
        Ok((Self { convolutions, downsample }, out))
    }

    fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let shortcut = match &self.downsample {
            Some(downsample) => downsample.forward(tape, x.clone(), Activation::Identity)?,
            None => x.clone(),
        };
        let last = self.convolutions.len() - 1;
        let mut y = x;
        for (index, layer) in self.convolutions.iter().enumerate() {
            let activation = if index == last { Activation::Identity } else { Activation::Relu };
            y = layer.forward(tape, y, activation)?;
        }
        ops::add_relu(tape, y, shortcut)
    }
}

impl ResNet {
    fn new(mut builder: Builder<'_>, blocks: [usize; 4], bottleneck: bool) -> Result<Self> {
        let stage = |name: &str, prefixes: &[&str], channels| Stage {
            name: name.to_owned(),
            prefixes: prefixes.iter().map(|&p| p.to_owned()).collect(),
            channels,
        };
        let mut stages = vec![stage("stem", &["conv1", "bn1"], 64)];
        let stem = ConvNorm::new(&mut builder, ("conv1", "bn1"), (3, 64), 7, 2)?;
        let (mut layers, mut channels) = (vec![], 64);
        for (index, &count) in blocks.iter().enumerate() {
            let name = format!("layer{}", index + 1);
            let mut builder = builder.pp(&name);
            let mut layer = vec![];
            for block in 0..count {
                let stride = if index > 0 && block == 0 { 2 } else { 1 };
                let (made, out) = Block::new(builder.pp(block), channels, 64 << index, stride, bottleneck)?;
                layer.push(made);
                channels = out;
            }
            stages.push(stage(&name, &[&name], channels));
            layers.push(layer);
        }
        Ok(Self { stages, stem, layers })
    }
}

impl Backbone for ResNet {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Vec<Value>> {
        run_stages(tape, images, taps, |tape, stage, x| match stage {
            0 => {
                let y = self.stem.forward(tape, x, Activation::Relu)?;
                ops::max_pool2d(tape, y, Pool2dSettings { kernel: 3, stride: 2, padding: 1 })
            }
            _ => self.layers[stage - 1].iter().try_fold(x, |x, block| block.forward(tape, x)),
        })
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        let blocks = self.layers.iter().flatten().flat_map(|block| block.convolutions.iter().chain(&block.downsample));
        std::iter::once(&self.stem).chain(blocks).map(|layer| &layer.norm).collect()
    }
}
