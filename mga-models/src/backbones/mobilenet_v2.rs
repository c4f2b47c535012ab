//! MobileNetV2 (Sandler et al. 2018), as torchvision builds it.

use std::sync::Arc;

use mga_core::Result;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use mga_core::ops::{self, Activation, Conv2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Choice, Entry, OwnSettings};
use serde_json::json;

use crate::backbone::{Backbone, Backbones, RegisteredBackbone, Stage, StageId, run_stages};
use crate::features::Features;
use crate::settings::no_settings;
use crate::torch_program::BackboneProgram;
use crate::weights::PublishedWeights;

/// MobileNetV2 at width 1.
pub(super) fn entry() -> Entry<Backbones> {
    let about = "MobileNetV2 (Sandler et al. 2018), torchvision's mobilenet_v2";
    Entry::<Backbones>::new("mobilenet_v2", about, Arc::new(Registered))
}

struct Registered;

impl RegisteredBackbone for Registered {
    fn build(&self, builder: Builder<'_>, settings: OwnSettings<'_>) -> Result<Box<dyn Backbone>> {
        no_settings(settings, "mobilenet_v2")?;
        Ok(Box::new(MobileNetV2::new(builder)?))
    }

    fn head(&self) -> Choice {
        Choice::new("linear", json!({ "dropout": 0.2, "layer": "1" }))
    }

    fn timm_name(&self) -> Option<&'static str> {
        Some("mobilenetv2_100")
    }

    fn program(&self) -> Option<BackboneProgram> {
        Some(BackboneProgram::torchvision("mobilenet_v2", "classifier.1"))
    }
}

/// timm's names: blocks counted within their stage, convolutions by what they do.
macro_rules! timm_names {
    ($(($stage:literal, $block:literal, $feature:literal)),*) => {
        &[
            ("conv_stem", "features.0.0"),
            ("bn1", "features.0.1"),
            ("blocks.0.0.conv_dw", "features.1.conv.0.0"),
            ("blocks.0.0.bn1", "features.1.conv.0.1"),
            ("blocks.0.0.conv_pw", "features.1.conv.1"),
            ("blocks.0.0.bn2", "features.1.conv.2"),
            $(
                (concat!("blocks.", $stage, ".", $block, ".conv_pw"), concat!("features.", $feature, ".conv.0.0")),
                (concat!("blocks.", $stage, ".", $block, ".bn1"), concat!("features.", $feature, ".conv.0.1")),
                (concat!("blocks.", $stage, ".", $block, ".conv_dw"), concat!("features.", $feature, ".conv.1.0")),
                (concat!("blocks.", $stage, ".", $block, ".bn2"), concat!("features.", $feature, ".conv.1.1")),
                (concat!("blocks.", $stage, ".", $block, ".conv_pwl"), concat!("features.", $feature, ".conv.2")),
                (concat!("blocks.", $stage, ".", $block, ".bn3"), concat!("features.", $feature, ".conv.3")),
            )*
            ("conv_head", "features.18.0"),
            ("bn2", "features.18.1"),
            ("classifier", "classifier.1"),
        ]
    };
}

/// Published weights: timm's own.
pub(super) const WEIGHTS: &[PublishedWeights] = &[PublishedWeights {
    name: "timm/mobilenetv2_100.ra_in1k",
    repo: "timm/mobilenetv2_100.ra_in1k",
    component: "mobilenet_v2",
    licence: "apache-2.0",
    renames: timm_names![
        (1, 0, 2),
        (1, 1, 3),
        (2, 0, 4),
        (2, 1, 5),
        (2, 2, 6),
        (3, 0, 7),
        (3, 1, 8),
        (3, 2, 9),
        (3, 3, 10),
        (4, 0, 11),
        (4, 1, 12),
        (4, 2, 13),
        (5, 0, 14),
        (5, 1, 15),
        (5, 2, 16),
        (6, 0, 17)
    ],
    ..PublishedWeights::TIMM
}];

/// Expansion, output channels, repeats and stride of the first: table 2 of the paper.
const BLOCKS: [(usize, usize, usize, usize); 7] =
    [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];

/// Stages `features.0` to `features.18`.
struct MobileNetV2 {
    stages: Vec<Stage>,
    blocks: Vec<Block>,
}

/// Convolutions with norms, rectified at 6 but for the last of an inverted residual.
struct Block {
    layers: Vec<(Conv2d, BatchNorm2d, Activation)>,
    residual: bool,
}

impl MobileNetV2 {
    fn new(mut builder: Builder<'_>) -> Result<Self> {
        let mut builder = builder.pp("features");
        let mut blocks = vec![];
        let mut first = builder.pp(0).of_images();
        blocks.push((Block::new(vec![layer(&mut first, ("0", "1"), (3, 32), 3, 2, 1, Activation::Relu6)?], false), 32));
        let mut channels = 32;
        for (expansion, out, repeats, stride) in BLOCKS {
            for repeat in 0..repeats {
                let mut builder = builder.pp(blocks.len());
                let stride = if repeat == 0 { stride } else { 1 };
                let block = Block::inverted_residual(builder.pp("conv"), channels, out, stride, expansion)?;
                blocks.push((block, out));
                channels = out;
            }
        }
        let mut last = builder.pp(blocks.len());
        let wide = layer(&mut last, ("0", "1"), (channels, 1280), 1, 1, 1, Activation::Relu6)?;
        blocks.push((Block::new(vec![wide], false), 1280));
        let stage = |(index, (_, channels)): (usize, &(Block, usize))| {
            let name = format!("features.{index}");
            Stage { prefixes: vec![name.clone()], name, channels: *channels }
        };
        let stages = blocks.iter().enumerate().map(stage).collect();
        Ok(Self { stages, blocks: blocks.into_iter().map(|(block, _)| block).collect() })
    }
}

fn layer(
    builder: &mut Builder<'_>,
    (conv, norm): (&str, &str),
    channels: (usize, usize),
    kernel: usize,
    stride: usize,
    groups: usize,
    activation: Activation,
) -> Result<(Conv2d, BatchNorm2d, Activation)> {
    let settings = Conv2dSettings { stride, padding: (kernel / 2, kernel / 2), groups, ..Conv2dSettings::default() };
    let conv = Conv2d::new(builder.pp(conv), channels, (kernel, kernel), settings, ConvInit::HeFanOut)?;
    Ok((conv, BatchNorm2d::new(builder.pp(norm), channels.1, BatchNormSettings::default())?, activation))
}

impl Block {
    fn new(layers: Vec<(Conv2d, BatchNorm2d, Activation)>, residual: bool) -> Self {
        Self { layers, residual }
    }

    fn inverted_residual(
        mut builder: Builder<'_>,
        channels: usize,
        out: usize,
        stride: usize,
        expansion: usize,
    ) -> Result<Self> {
        let (inner, mut layers) = (channels * expansion, vec![]);
        if expansion != 1 {
            layers.push(layer(&mut builder.pp(0), ("0", "1"), (channels, inner), 1, 1, 1, Activation::Relu6)?);
        }
        let at = layers.len();
        layers.push(layer(&mut builder.pp(at), ("0", "1"), (inner, inner), 3, stride, inner, Activation::Relu6)?);
        let names = ((at + 1).to_string(), (at + 2).to_string());
        layers.push(layer(&mut builder, (&names.0, &names.1), (inner, out), 1, 1, 1, Activation::Identity)?);
        Ok(Self::new(layers, stride == 1 && channels == out))
    }

    fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let shortcut = self.residual.then(|| x.clone());
        let mut y = x;
        for (conv, norm, activation) in &self.layers {
            y = conv.forward_normalised(tape, y, norm, *activation)?;
        }
        match shortcut {
            Some(shortcut) => ops::add(tape, y, shortcut),
            None => Ok(y),
        }
    }
}

impl Backbone for MobileNetV2 {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Features> {
        run_stages(tape, images, taps, |tape, stage, x| self.blocks[stage].forward(tape, x))
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        self.blocks.iter().flat_map(|block| block.layers.iter().map(|(_, norm, _)| norm)).collect()
    }
}
