//! DenseNet (Huang et al. 2017), as torchvision builds it.

use std::sync::Arc;

use mga_core::Result;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit, DenseBlock, DenseBlockSettings};
use mga_core::ops::{self, Activation, Conv2dSettings, Pool2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Choice, Entry, OwnSettings};
use serde_json::json;

use crate::backbone::{Backbone, Backbones, RegisteredBackbone, Stage, StageId, run_stages};
use crate::features::Features;
use crate::settings::no_settings;
use crate::torch_program::BackboneProgram;
use crate::weights::PublishedWeights;

/// The names in the files that torchvision publishes, which its own program mends as it reads them.
const PUBLISHED: &[(&str, &str)] = &[
    ("features.*.*.norm.1", "features.*.*.norm1"),
    ("features.*.*.conv.1", "features.*.*.conv1"),
    ("features.*.*.norm.2", "features.*.*.norm2"),
    ("features.*.*.conv.2", "features.*.*.conv2"),
];

/// Every DenseNet.
pub(super) fn entries() -> Vec<Entry<Backbones>> {
    let entry = |name: &'static str, growth, layers, first| {
        let about = format!("DenseNet (Huang et al. 2017), torchvision's {name}");
        Entry::<Backbones>::new(name, about, Arc::new(Member { name, growth, layers, first }))
    };
    vec![
        entry("densenet121", 32, [6, 12, 24, 16], 64),
        entry("densenet161", 48, [6, 12, 36, 24], 96),
        entry("densenet169", 32, [6, 12, 32, 32], 64),
        entry("densenet201", 32, [6, 12, 48, 32], 64),
    ]
}

struct Member {
    name: &'static str,
    growth: usize,
    layers: [usize; 4],
    first: usize,
}

impl RegisteredBackbone for Member {
    fn build(&self, builder: Builder<'_>, settings: OwnSettings<'_>) -> Result<Box<dyn Backbone>> {
        no_settings(settings, self.name)?;
        Ok(Box::new(DenseNet::new(builder, self.growth, self.layers, self.first)?))
    }

    /// The authors rectify after attention in densenet161 only; torchvision's classifier, and so its weights, expect it of
    /// every DenseNet.
    fn head(&self) -> Choice {
        Choice::new("linear", json!({ "rectify": true }))
    }

    fn renames(&self) -> &'static [(&'static str, &'static str)] {
        PUBLISHED
    }

    fn recomputes(&self) -> bool {
        true
    }

    /// torchvision rectifies what its densely connected features give.
    fn program(&self) -> Option<BackboneProgram> {
        Some(BackboneProgram { rectify: true, ..BackboneProgram::torchvision(self.name, "classifier") })
    }
}

macro_rules! published {
    ($name:literal) => {
        PublishedWeights {
            name: concat!("timm/", $name, ".tv_in1k"),
            repo: concat!("timm/", $name, ".tv_in1k"),
            component: $name,
            licence: "apache-2.0",
            ..PublishedWeights::TIMM
        }
    };
}

/// Published weights: torchvision's.
pub(super) const WEIGHTS: &[PublishedWeights] =
    &[published!("densenet121"), published!("densenet161"), published!("densenet169"), published!("densenet201")];

/// Stages `stem`, `denseblock1`, `transition1`, …, `denseblock4`, `norm5`. What comes out is normalised but not rectified.
struct DenseNet {
    stages: Vec<Stage>,
    conv0: Conv2d,
    norm0: BatchNorm2d,
    blocks: Vec<DenseBlock>,
    transitions: Vec<(BatchNorm2d, Conv2d)>,
    norm5: BatchNorm2d,
}

impl DenseNet {
    fn new(mut builder: Builder<'_>, growth: usize, layers: [usize; 4], first: usize) -> Result<Self> {
        let mut builder = builder.pp("features");
        let norm = BatchNormSettings::default();
        let stage = |name: &str, prefixes: &[&str], channels| Stage {
            name: name.to_owned(),
            prefixes: prefixes.iter().map(|p| format!("features.{p}")).collect(),
            channels,
        };
        let wide = Conv2dSettings { stride: 2, padding: (3, 3), ..Conv2dSettings::default() };
        let conv0 = Conv2d::new(builder.pp("conv0").of_images(), (3, first), (7, 7), wide, ConvInit::HeFanIn)?;
        let norm0 = BatchNorm2d::new(builder.pp("norm0"), first, norm)?;
        let mut stages = vec![stage("stem", &["conv0", "norm0"], first)];
        let (mut blocks, mut transitions, mut channels) = (vec![], vec![], first);
        for (index, &layers) in layers.iter().enumerate() {
            let name = format!("denseblock{}", index + 1);
            let settings = DenseBlockSettings { layers, channels, growth, bottleneck: 4 };
            blocks.push(DenseBlock::new(builder.pp(&name), settings)?);
            channels = settings.out_channels();
            stages.push(stage(&name, &[&name], channels));
            if index < 3 {
                let name = format!("transition{}", index + 1);
                let mut builder = builder.pp(&name);
                let norm = BatchNorm2d::new(builder.pp("norm"), channels, norm)?;
                let narrow = (channels, channels / 2);
                let plain = Conv2dSettings::default();
                transitions.push((norm, Conv2d::new(builder.pp("conv"), narrow, (1, 1), plain, ConvInit::HeFanIn)?));
                channels /= 2;
                stages.push(stage(&name, &[&name], channels));
            }
        }
        let norm5 = BatchNorm2d::new(builder.pp("norm5"), channels, norm)?;
        stages.push(stage("norm5", &["norm5"], channels));
        Ok(Self { stages, conv0, norm0, blocks, transitions, norm5 })
    }
}

impl Backbone for DenseNet {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Features> {
        run_stages(tape, images, taps, |tape, stage, x| match stage {
            0 => {
                let y = self.conv0.forward_normalised(tape, x, &self.norm0, Activation::Relu)?;
                ops::max_pool2d(tape, y, Pool2dSettings { kernel: 3, stride: 2, padding: 1 })
            }
            8 => self.norm5.forward(tape, x, Activation::Identity),
            _ if stage % 2 == 1 => self.blocks[stage / 2].forward(tape, x),
            _ => {
                let (norm, conv) = &self.transitions[stage / 2 - 1];
                let y = norm.forward(tape, x, Activation::Relu)?;
                let y = conv.forward(tape, y)?;
                ops::avg_pool2d(tape, y, Pool2dSettings { kernel: 2, stride: 2, padding: 0 })
            }
        })
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        let mut norms = vec![&self.norm0];
        for (index, block) in self.blocks.iter().enumerate() {
            norms.extend(block.norms());
            norms.extend(self.transitions.get(index).map(|(norm, _)| norm));
        }
        norms.push(&self.norm5);
        norms
    }
}
