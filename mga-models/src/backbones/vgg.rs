//! VGG (Simonyan and Zisserman 2015), as torchvision builds it.

use std::sync::Arc;

use mga_core::Result;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use mga_core::ops::{self, Activation, Conv2dSettings, Pool2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Choice, Entry, OwnSettings};

use crate::backbone::{Backbone, Backbones, RegisteredBackbone, Stage, StageId, run_stages};
use crate::features::Features;
use crate::settings::no_settings;
use crate::torch_program::BackboneProgram;
use crate::weights::PublishedWeights;

/// Convolutions before each of the five pools.
const DEPTHS: [[usize; 5]; 2] = [[2, 2, 3, 3, 3], [2, 2, 4, 4, 4]];

/// Every VGG.
pub(super) fn entries() -> Vec<Entry<Backbones>> {
    let entry = |name: &'static str, depth: usize, normed| {
        let about = format!("VGG (Simonyan and Zisserman 2015), torchvision's {name}");
        Entry::<Backbones>::new(name, about, Arc::new(Member { name, depths: DEPTHS[depth], normed }))
    };
    vec![entry("vgg16", 0, false), entry("vgg16_bn", 0, true), entry("vgg19", 1, false), entry("vgg19_bn", 1, true)]
}

struct Member {
    name: &'static str,
    depths: [usize; 5],
    normed: bool,
}

impl RegisteredBackbone for Member {
    fn build(&self, builder: Builder<'_>, settings: OwnSettings<'_>) -> Result<Box<dyn Backbone>> {
        no_settings(settings, self.name)?;
        Ok(Box::new(Vgg::new(builder, self.depths, self.normed)?))
    }

    fn head(&self) -> Choice {
        Choice::from("vgg")
    }

    fn program(&self) -> Option<BackboneProgram> {
        Some(BackboneProgram { pool: 7, ..BackboneProgram::torchvision(self.name, "classifier.0") })
    }
}

/// timm's names: its classifier is made of convolutions, of 7 x 7 and 1 x 1, whose weights lie as ours do.
const TIMM: &[(&str, &str)] =
    &[("pre_logits.fc1", "classifier.0"), ("pre_logits.fc2", "classifier.3"), ("head.fc", "classifier.6")];

macro_rules! published {
    ($name:literal) => {
        PublishedWeights {
            name: concat!("timm/", $name, ".tv_in1k"),
            repo: concat!("timm/", $name, ".tv_in1k"),
            component: $name,
            interpolation: "bilinear",
            licence: "bsd-3-clause",
            renames: TIMM,
            ..PublishedWeights::TIMM
        }
    };
}

/// Published weights: torchvision's.
pub(super) const WEIGHTS: &[PublishedWeights] =
    &[published!("vgg16"), published!("vgg16_bn"), published!("vgg19"), published!("vgg19_bn")];

enum Layer {
    Conv(Conv2d),
    Norm(BatchNorm2d),
    Relu,
    Pool,
}

/// Stages `features.0`, `features.1`, …: torchvision's numbered layers, activations and pools included.
struct Vgg {
    stages: Vec<Stage>,
    layers: Vec<Layer>,
}

impl Vgg {
    fn new(mut builder: Builder<'_>, depths: [usize; 5], normed: bool) -> Result<Self> {
        let mut builder = builder.pp("features");
        let (mut layers, mut stages, mut channels) = (vec![], vec![], 3);
        let mut push = |layer: Layer, channels: usize, layers: &mut Vec<Layer>| {
            let name = format!("features.{}", layers.len());
            let owns = matches!(layer, Layer::Conv(_) | Layer::Norm(_));
            stages.push(Stage { prefixes: if owns { vec![name.clone()] } else { vec![] }, name, channels });
            layers.push(layer);
        };
        for (block, &depth) in depths.iter().enumerate() {
            let width = 64 << block.min(3);
            for _ in 0..depth {
                let same = Conv2dSettings { padding: (1, 1), ..Conv2dSettings::default() };
                let place = builder.pp(layers.len());
                let place = if layers.is_empty() { place.of_images() } else { place };
                let conv = Conv2d::with_bias(place, (channels, width), (3, 3), same, ConvInit::HeFanOut)?;
                push(Layer::Conv(conv), width, &mut layers);
                if normed {
                    let norm = BatchNorm2d::new(builder.pp(layers.len()), width, BatchNormSettings::default())?;
                    push(Layer::Norm(norm), width, &mut layers);
                }
                push(Layer::Relu, width, &mut layers);
                channels = width;
            }
            push(Layer::Pool, channels, &mut layers);
        }
        Ok(Self { stages, layers })
    }
}

impl Backbone for Vgg {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Features> {
        // A convolution that nobody taps waits for the activation behind it, and is computed with it.
        let last = taps.last().map_or(0, |tap| tap.0);
        let waits = |stage: usize| {
            let next = matches!(self.layers.get(stage + 1), Some(Layer::Relu));
            matches!(self.layers[stage], Layer::Conv(_)) && next && stage < last && !taps.contains(&StageId(stage))
        };
        run_stages(tape, images, taps, |tape, stage, x| match &self.layers[stage] {
            Layer::Conv(_) if waits(stage) => Ok(x),
            Layer::Conv(conv) => conv.forward(tape, x),
            Layer::Norm(norm) => norm.forward(tape, x, Activation::Identity),
            Layer::Relu => match &self.layers[stage - 1] {
                Layer::Conv(conv) if waits(stage - 1) => conv.forward_activated(tape, x, Activation::Relu),
                _ => ops::relu(tape, x),
            },
            Layer::Pool => ops::max_pool2d(tape, x, Pool2dSettings { kernel: 2, stride: 2, padding: 0 }),
        })
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        let norms = self.layers.iter().filter_map(|layer| match layer {
            Layer::Norm(norm) => Some(norm),
            _ => None,
        });
        norms.collect()
    }
}
