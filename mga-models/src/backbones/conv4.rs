//! Conv-4 (Vinyals et al. 2016): the small network of few-shot learning, for small images and quick trials.

use std::sync::Arc;

use mga_core::Result;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use mga_core::ops::{self, Activation, Conv2dSettings, Pool2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_registry::{Entry, OwnSettings};

use crate::backbone::{Backbone, Backbones, RegisteredBackbone, Stage, StageId, run_stages};
use crate::features::Features;
use crate::settings::no_settings;
use crate::torch_program::BackboneProgram;

/// Four blocks of 64 channels. There are no published weights.
pub(super) fn entry() -> Entry<Backbones> {
    let about = "Conv-4 (Vinyals et al. 2016): four blocks of 64 channels, for small images";
    Entry::<Backbones>::new("conv4", about, Arc::new(Registered))
}

struct Registered;

impl RegisteredBackbone for Registered {
    fn build(&self, builder: Builder<'_>, settings: OwnSettings<'_>) -> Result<Box<dyn Backbone>> {
        no_settings(settings, "conv4")?;
        Ok(Box::new(Conv4::new(builder)?))
    }

    fn program(&self) -> Option<BackboneProgram> {
        Some(BackboneProgram {
            package: None,
            definitions: include_str!("conv4.py"),
            build: "Conv4({classes})".to_owned(),
            features: "return net.block4(net.block3(net.block2(net.block1(x))))",
            rectify: false,
            pool: 1,
            classifier: "classifier",
        })
    }
}

const WIDTH: usize = 64;

/// Stages `block1` to `block4`: 3 x 3 convolution, norm, relu, 2 x 2 max pool.
struct Conv4 {
    stages: Vec<Stage>,
    blocks: Vec<(Conv2d, BatchNorm2d)>,
}

impl Conv4 {
    fn new(mut builder: Builder<'_>) -> Result<Self> {
        let (mut stages, mut blocks) = (vec![], vec![]);
        for index in 0..4 {
            let name = format!("block{}", index + 1);
            let mut builder = builder.pp(&name);
            let same = Conv2dSettings { padding: (1, 1), ..Conv2dSettings::default() };
            let channels = (if index == 0 { 3 } else { WIDTH }, WIDTH);
            let place = builder.pp("conv");
            let place = if index == 0 { place.of_images() } else { place };
            blocks.push((
                Conv2d::new(place, channels, (3, 3), same, ConvInit::HeFanOut)?,
                BatchNorm2d::new(builder.pp("norm"), WIDTH, BatchNormSettings::default())?,
            ));
            stages.push(Stage { prefixes: vec![name.clone()], name, channels: WIDTH });
        }
        Ok(Self { stages, blocks })
    }
}

impl Backbone for Conv4 {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Features> {
        run_stages(tape, images, taps, |tape, stage, x| {
            let (conv, norm) = &self.blocks[stage];
            let y = conv.forward_normalised(tape, x, norm, Activation::Relu)?;
            ops::max_pool2d(tape, y, Pool2dSettings { kernel: 2, stride: 2, padding: 0 })
        })
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        self.blocks.iter().map(|(_, norm)| norm).collect()
    }
}
