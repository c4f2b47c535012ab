//! ResNet (He et al. 2016), as torchvision builds it: the stride of a bottleneck is in its 3 x 3 convolution.

use std::sync::Arc;

use mga_core::Result;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use mga_core::ops::{self, Activation, Conv2dSettings, Pool2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Entry, OwnSettings};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::backbone::{Backbone, Backbones, RegisteredBackbone, Stage, StageId, run_stages};
use crate::features::Features;
use crate::settings::read_settings;
use crate::torch_program::BackboneProgram;
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

/// Every ResNet.
pub(super) fn entries() -> Vec<Entry<Backbones>> {
    let entry = |name: &'static str, blocks, bottleneck| {
        let about = format!("ResNet (He et al. 2016), torchvision's {name}");
        let entry = Entry::<Backbones>::new(name, about, Arc::new(Member { name, blocks, bottleneck }));
        entry.with_settings(schemars::schema_for!(ResNetSettings))
    };
    vec![
        entry("resnet18", [2, 2, 2, 2], false),
        entry("resnet34", [3, 4, 6, 3], false),
        entry("resnet50", [3, 4, 6, 3], true),
        entry("resnet101", [3, 4, 23, 3], true),
        entry("resnet152", [3, 8, 36, 3], true),
    ]
}

/// The settings of a ResNet, which stand beside `backbone` in `[model]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ResNetSettings {
    /// What images go through before `layer1`.
    #[schemars(extend("x-older-releases" = "imagenet"))]
    stem: Stem,
}

/// What images go through before `layer1`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Stem {
    /// A 7 x 7 convolution of stride 2 and a 3 x 3 max pool of stride 2, as torchvision has it: a quarter of the size.
    #[default]
    Imagenet,
    /// A 3 x 3 convolution of stride 1 and no pool, for images of about 32 pixels (He et al. 2016, section 4.2; pytorch-cifar).
    SmallImages,
}

impl Stem {
    /// Side and stride of the convolution.
    const fn convolution(self) -> (usize, usize) {
        match self {
            Self::Imagenet => (7, 2),
            Self::SmallImages => (3, 1),
        }
    }
}

struct Member {
    name: &'static str,
    blocks: [usize; 4],
    bottleneck: bool,
}

impl RegisteredBackbone for Member {
    fn build(&self, builder: Builder<'_>, settings: OwnSettings<'_>) -> Result<Box<dyn Backbone>> {
        let ResNetSettings { stem } = read_settings(settings)?;
        Ok(Box::new(ResNet::build(builder, self.blocks, self.bottleneck, Shape { stem, dilated: false })?))
    }

    fn renames(&self) -> &'static [(&'static str, &'static str)] {
        RENAMES
    }

    fn program(&self) -> Option<BackboneProgram> {
        let features = "x = net.maxpool(net.relu(net.bn1(net.conv1(x))))\n        \
                        return net.layer4(net.layer3(net.layer2(net.layer1(x))))";
        Some(BackboneProgram { features, ..BackboneProgram::torchvision(self.name, "fc") })
    }
}

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
pub(super) const WEIGHTS: &[PublishedWeights] = &[
    published!("resnet18", "tv_in1k"),
    published!("resnet34", "tv_in1k"),
    published!("resnet50", "tv_in1k"),
    published!("resnet101", "tv_in1k"),
    published!("resnet152", "tv_in1k"),
    PublishedWeights {
        interpolation: "bicubic",
        crop_pct: 0.95,
        licence: "apache-2.0",
        default: false,
        ..published!("resnet50", "a1_in1k")
    },
];

/// Stages `stem`, `layer1`, …, `layer4`.
pub(crate) struct ResNet {
    stages: Vec<Stage>,
    stem: ConvNorm,
    /// Whether the stem ends in a max pool.
    pools: bool,
    layers: Vec<Vec<Block>>,
}

/// How far a convolution steps, and how far apart its taps are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spacing {
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
}

impl Spacing {
    /// Every pixel, taps side by side.
    pub(crate) const DENSE: Self = Self::stride(1);

    /// Taps side by side.
    pub(crate) const fn stride(stride: usize) -> Self {
        Self { stride, dilation: 1 }
    }

    /// Every pixel.
    pub(crate) const fn dilation(dilation: usize) -> Self {
        Self { stride: 1, dilation }
    }
}

/// A convolution without bias that keeps the size (but for its stride), and its batch norm.
pub(crate) struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl ConvNorm {
    pub(crate) fn new(
        builder: &mut Builder<'_>,
        (conv, norm): (&str, &str),
        channels: (usize, usize),
        kernel: usize,
        Spacing { stride, dilation }: Spacing,
    ) -> Result<Self> {
        let reach = kernel / 2 * dilation;
        let settings = Conv2dSettings { stride, padding: (reach, reach), dilation, ..Conv2dSettings::default() };
        Ok(Self {
            conv: Conv2d::new(builder.pp(conv), channels, (kernel, kernel), settings, ConvInit::HeFanOut)?,
            norm: BatchNorm2d::new(builder.pp(norm), channels.1, BatchNormSettings::default())?,
        })
    }

    /// The same with a bias, which the norm makes superfluous but some published weights have.
    pub(crate) fn with_bias(
        builder: &mut Builder<'_>,
        (conv, norm): (&str, &str),
        channels: (usize, usize),
        kernel: usize,
    ) -> Result<Self> {
        let settings = Conv2dSettings { padding: (kernel / 2, kernel / 2), ..Conv2dSettings::default() };
        Ok(Self {
            conv: Conv2d::with_bias(builder.pp(conv), channels, (kernel, kernel), settings, ConvInit::HeFanOut)?,
            norm: BatchNorm2d::new(builder.pp(norm), channels.1, BatchNormSettings::default())?,
        })
    }

    pub(crate) fn forward(&self, tape: &mut Tape, x: Value, activation: Activation) -> Result<Value> {
        self.conv.forward_normalised(tape, x, &self.norm, activation)
    }
}

/// A residual block of two 3 x 3 convolutions, or a bottleneck.
pub(crate) struct Block {
    convolutions: Vec<ConvNorm>,
    downsample: Option<ConvNorm>,
}

impl Block {
    /// The block, and the channels that come out of it: `width`, or four times as many out of a bottleneck.
    pub(crate) fn new(
        mut builder: Builder<'_>,
        channels: usize,
        width: usize,
        spacing: Spacing,
        bottleneck: bool,
    ) -> Result<(Self, usize)> {
        let b = &mut builder;
        let (convolutions, out) = if bottleneck {
            let out = 4 * width;
            let first = ConvNorm::new(b, ("conv1", "bn1"), (channels, width), 1, Spacing::DENSE)?;
            let second = ConvNorm::new(b, ("conv2", "bn2"), (width, width), 3, spacing)?;
            (vec![first, second, ConvNorm::new(b, ("conv3", "bn3"), (width, out), 1, Spacing::DENSE)?], out)
        } else {
            let first = ConvNorm::new(b, ("conv1", "bn1"), (channels, width), 3, spacing)?;
            (vec![first, ConvNorm::new(b, ("conv2", "bn2"), (width, width), 3, Spacing::DENSE)?], width)
        };
        let downsample = if spacing.stride != 1 || channels != out {
            let stride = Spacing::stride(spacing.stride);
            Some(ConvNorm::new(&mut b.pp("downsample"), ("0", "1"), (channels, out), 1, stride)?)
        } else {
            None
        };
        Ok((Self { convolutions, downsample }, out))
    }

    pub(crate) fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
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

/// What tells ResNets of the same blocks apart.
struct Shape {
    stem: Stem,
    dilated: bool,
}

impl ResNet {
    /// A bottleneck network at an eighth of the image's size: `layer3` and `layer4` keep the size and dilate instead of
    /// stepping, their first block still by the dilation before (torchvision's `replace_stride_with_dilation`).
    pub(crate) fn dilated(builder: Builder<'_>, blocks: [usize; 4]) -> Result<Self> {
        Self::build(builder, blocks, true, Shape { stem: Stem::Imagenet, dilated: true })
    }

    fn build(mut builder: Builder<'_>, blocks: [usize; 4], bottleneck: bool, shape: Shape) -> Result<Self> {
        let Shape { stem, dilated } = shape;
        let stage = |name: &str, prefixes: &[&str], channels| Stage {
            name: name.to_owned(),
            prefixes: prefixes.iter().map(|&p| p.to_owned()).collect(),
            channels,
        };
        let mut stages = vec![stage("stem", &["conv1", "bn1"], 64)];
        let (kernel, stride) = stem.convolution();
        let pools = stem == Stem::Imagenet;
        let mut images = builder.reborrow().of_images();
        let stem = ConvNorm::new(&mut images, ("conv1", "bn1"), (3, 64), kernel, Spacing::stride(stride))?;
        let (mut layers, mut channels, mut dilation) = (vec![], 64, 1);
        for (index, &count) in blocks.iter().enumerate() {
            let name = format!("layer{}", index + 1);
            let mut builder = builder.pp(&name);
            let mut layer = vec![];
            for block in 0..count {
                let steps = index > 0 && block == 0;
                let stride = if steps && !(dilated && index > 1) { 2 } else { 1 };
                let spacing = Spacing { stride, dilation };
                if steps && stride == 1 {
                    dilation *= 2;
                }
                let (made, out) = Block::new(builder.pp(block), channels, 64 << index, spacing, bottleneck)?;
                layer.push(made);
                channels = out;
            }
            stages.push(stage(&name, &[&name], channels));
            layers.push(layer);
        }
        Ok(Self { stages, stem, pools, layers })
    }
}

impl Backbone for ResNet {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Features> {
        run_stages(tape, images, taps, |tape, stage, x| match stage {
            0 => {
                let y = self.stem.forward(tape, x, Activation::Relu)?;
                if !self.pools {
                    return Ok(y);
                }
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
