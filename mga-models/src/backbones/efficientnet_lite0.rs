//! EfficientNet-Lite0 (Tan and Le 2019, without squeeze and excitation), as timm's `tf_efficientnet_lite0` has it: padded
//! as TensorFlow pads ("SAME"), batch norms with eps 1e-3, rectified at 6. timm's names, since torchvision has none.

use std::sync::Arc;

use mga_core::Result;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use mga_core::ops::{self, Activation, Conv2dSettings, Margins};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Choice, Entry, OwnSettings};
use serde_json::json;

use crate::backbone::{Backbone, Backbones, RegisteredBackbone, Stage, StageId, run_stages};
use crate::features::Features;
use crate::settings::no_settings;
use crate::torch_program::BackboneProgram;
use crate::weights::PublishedWeights;

/// EfficientNet-Lite0.
pub(super) fn entry() -> Entry<Backbones> {
    let about = "EfficientNet-Lite0 (Tan and Le 2019), timm's tf_efficientnet_lite0";
    Entry::<Backbones>::new("efficientnet_lite0", about, Arc::new(Registered))
}

struct Registered;

impl RegisteredBackbone for Registered {
    fn build(&self, builder: Builder<'_>, settings: OwnSettings<'_>) -> Result<Box<dyn Backbone>> {
        no_settings(settings, "efficientnet_lite0")?;
        Ok(Box::new(EfficientNetLite0::new(builder)?))
    }

    fn head(&self) -> Choice {
        Choice::new("linear", json!({ "dropout": 0.2 }))
    }

    fn renames(&self) -> &'static [(&'static str, &'static str)] {
        PORT
    }

    fn timm_name(&self) -> Option<&'static str> {
        Some("tf_efficientnet_lite0")
    }

    fn program(&self) -> Option<BackboneProgram> {
        Some(BackboneProgram {
            package: None,
            definitions: include_str!("efficientnet_lite0.py"),
            build: "EfficientNetLite0({classes})".to_owned(),
            features: "x = net.blocks(F.relu6(net.bn1(net.conv_stem(x))))\n        return F.relu6(net.bn2(net.conv_head(x)))",
            rectify: false,
            pool: 1,
            classifier: "classifier",
        })
    }
}

/// Published weights: Google's, ported by timm; they expect colours from -1 to 1.
pub(super) const WEIGHTS: &[PublishedWeights] = &[PublishedWeights {
    name: "timm/tf_efficientnet_lite0.in1k",
    repo: "timm/tf_efficientnet_lite0.in1k",
    component: "efficientnet_lite0",
    mean: [0.5; 3],
    std: [0.5; 3],
    licence: "apache-2.0",
    ..PublishedWeights::TIMM
}];

/// Kernel, stride of the first, expansion, output channels, repeats. Lite0 keeps B0's widths and depths.
const BLOCKS: [(usize, usize, usize, usize, usize); 7] = [
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
];

/// The names of the ports that follow EfficientNet-PyTorch: `_blocks.N` in one row, `_conv_stem`, `_fc`. The first block
/// does not expand, so that its norms count from `_bn1`.
macro_rules! port_names {
    ($($flat:literal $nested:literal),*) => {
        &[
            ("_conv_stem", "conv_stem"),
            ("_bn0", "bn1"),
            ("_blocks.0._depthwise_conv", "blocks.0.0.conv_dw"),
            ("_blocks.0._bn1", "blocks.0.0.bn1"),
            ("_blocks.0._project_conv", "blocks.0.0.conv_pw"),
            ("_blocks.0._bn2", "blocks.0.0.bn2"),
            $(
                (concat!("_blocks.", $flat, "._expand_conv"), concat!("blocks.", $nested, ".conv_pw")),
                (concat!("_blocks.", $flat, "._bn0"), concat!("blocks.", $nested, ".bn1")),
                (concat!("_blocks.", $flat, "._depthwise_conv"), concat!("blocks.", $nested, ".conv_dw")),
                (concat!("_blocks.", $flat, "._bn1"), concat!("blocks.", $nested, ".bn2")),
                (concat!("_blocks.", $flat, "._project_conv"), concat!("blocks.", $nested, ".conv_pwl")),
                (concat!("_blocks.", $flat, "._bn2"), concat!("blocks.", $nested, ".bn3")),
            )*
            ("_conv_head", "conv_head"),
            ("_bn1", "bn2"),
            ("_fc", "classifier"),
        ]
    };
}

const PORT: &[(&str, &str)] = port_names!(
    "1" "1.0", "2" "1.1", "3" "2.0", "4" "2.1", "5" "3.0", "6" "3.1", "7" "3.2", "8" "4.0", "9" "4.1", "10" "4.2",
    "11" "5.0", "12" "5.1", "13" "5.2", "14" "5.3", "15" "6.0"
);

/// A convolution padded as TensorFlow's "SAME", with its norm.
struct SameConv {
    conv: Conv2d,
    norm: BatchNorm2d,
    activation: Activation,
    kernel: usize,
    stride: usize,
}

impl SameConv {
    fn new(
        builder: &mut Builder<'_>,
        (conv, norm): (&str, &str),
        channels: (usize, usize),
        (kernel, stride, groups): (usize, usize, usize),
        activation: Activation,
    ) -> Result<Self> {
        // At stride 1 both sides get as much, and the convolution pads itself.
        let padding = if stride == 1 { (kernel / 2, kernel / 2) } else { (0, 0) };
        let settings = Conv2dSettings { stride, padding, groups, ..Conv2dSettings::default() };
        // As timm draws: He normal by fan out within a group. By the whole weight, depthwise outputs would be so small that
        // running variances, which start at 1, take hundreds of steps to come down to them.
        let init = if groups == 1 { ConvInit::HeFanOut } else { ConvInit::HeFanIn };
        let eps = BatchNormSettings { eps: 1e-3, ..BatchNormSettings::default() };
        Ok(Self {
            conv: Conv2d::new(builder.pp(conv), channels, (kernel, kernel), settings, init)?,
            norm: BatchNorm2d::new(builder.pp(norm), channels.1, eps)?,
            activation,
            kernel,
            stride,
        })
    }

    fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let (_, _, height, width) = x.dims4()?;
        let x = if self.stride == 1 {
            x
        } else {
            let (top, bottom) = ops::same_padding(height, self.kernel, self.stride);
            let (left, right) = ops::same_padding(width, self.kernel, self.stride);
            ops::zero_pad2d(tape, x, Margins { top, bottom, left, right })?
        };
        let y = self.conv.forward(tape, x)?;
        self.norm.forward(tape, y, self.activation)
    }
}

/// Convolutions in a row, around which the input goes where the shape allows.
struct Block {
    layers: Vec<SameConv>,
    residual: bool,
}

impl Block {
    fn new(mut builder: Builder<'_>, channels: usize, out: usize, block: (usize, usize, usize)) -> Result<Self> {
        let (kernel, stride, expansion) = block;
        let (b, inner) = (&mut builder, channels * expansion);
        let deep = |b: &mut Builder<'_>, norm| {
            SameConv::new(b, ("conv_dw", norm), (inner, inner), (kernel, stride, inner), Activation::Relu6)
        };
        let layers = if expansion == 1 {
            let deep = deep(b, "bn1")?;
            vec![deep, SameConv::new(b, ("conv_pw", "bn2"), (inner, out), (1, 1, 1), Activation::Identity)?]
        } else {
            let expand = SameConv::new(b, ("conv_pw", "bn1"), (channels, inner), (1, 1, 1), Activation::Relu6)?;
            let deep = deep(b, "bn2")?;
            let project = SameConv::new(b, ("conv_pwl", "bn3"), (inner, out), (1, 1, 1), Activation::Identity)?;
            vec![expand, deep, project]
        };
        Ok(Self { layers, residual: stride == 1 && channels == out })
    }

    fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let shortcut = self.residual.then(|| x.clone());
        let y = self.layers.iter().try_fold(x, |y, layer| layer.forward(tape, y))?;
        match shortcut {
            Some(shortcut) => ops::add(tape, y, shortcut),
            None => Ok(y),
        }
    }
}

/// Stages `stem`, `blocks.0` to `blocks.6`, `head`.
struct EfficientNetLite0 {
    stages: Vec<Stage>,
    parts: Vec<Vec<Block>>,
}

impl EfficientNetLite0 {
    fn new(mut builder: Builder<'_>) -> Result<Self> {
        let stage = |name: &str, prefixes: &[&str], channels| Stage {
            name: name.to_owned(),
            prefixes: prefixes.iter().map(|&p| p.to_owned()).collect(),
            channels,
        };
        let single = |layer| vec![Block { layers: vec![layer], residual: false }];
        let stem = SameConv::new(
            &mut builder.reborrow().of_images(),
            ("conv_stem", "bn1"),
            (3, 32),
            (3, 2, 1),
            Activation::Relu6,
        )?;
        let (mut parts, mut stages) = (vec![single(stem)], vec![stage("stem", &["conv_stem", "bn1"], 32)]);
        let mut channels = 32;
        for (index, (kernel, stride, expansion, out, repeats)) in BLOCKS.into_iter().enumerate() {
            let name = format!("blocks.{index}");
            let mut builder = builder.pp(&name);
            let mut blocks = vec![];
            for repeat in 0..repeats {
                let stride = if repeat == 0 { stride } else { 1 };
                blocks.push(Block::new(builder.pp(repeat), channels, out, (kernel, stride, expansion))?);
                channels = out;
            }
            stages.push(stage(&name, &[&name], channels));
            parts.push(blocks);
        }
        let last = SameConv::new(&mut builder, ("conv_head", "bn2"), (channels, 1280), (1, 1, 1), Activation::Relu6)?;
        parts.push(single(last));
        stages.push(stage("head", &["conv_head", "bn2"], 1280));
        Ok(Self { stages, parts })
    }
}

impl Backbone for EfficientNetLite0 {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Features> {
        run_stages(tape, images, taps, |tape, stage, x| {
            self.parts[stage].iter().try_fold(x, |x, block| block.forward(tape, x))
        })
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        self.parts.iter().flatten().flat_map(|block| block.layers.iter().map(|layer| &layer.norm)).collect()
    }
}
