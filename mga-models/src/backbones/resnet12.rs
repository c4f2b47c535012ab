//! ResNet-12, the network of few-shot learning (Oreshkin et al. 2018), as MetaOptNet (Lee et al. 2019) and DeepEMD
//! (Zhang et al. 2020) build it.

use std::sync::Arc;

use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use mga_core::ops::{self, Activation, Conv2dSettings, Pool2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_core::{Error, Result};
use mga_registry::{Condition, Entry, OwnSettings};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::backbone::{Backbone, Backbones, RegisteredBackbone, Stage, StageId, run_stages};
use crate::features::Features;
use crate::settings::read_settings;
use crate::torch_program::BackboneProgram;

/// The authors' classifier of pre-training; their wrappers `module` and `encoder` are taken off like all others.
const RENAMES: &[(&str, &str)] = &[("fc", "classifier")];

const DROPS: Condition = Condition {
    key: "block_size",
    holds: |settings| settings.get("drop_block").and_then(serde_json::Value::as_f64).is_some_and(|rate| rate > 0.0),
    by: "drop_block",
    words: "model.drop_block above 0",
};

/// Returns `resnet12` as it is registered. There are no published weights on the hub.
pub(super) fn entry() -> Entry<Backbones> {
    let about = "ResNet-12 of few-shot learning (MetaOptNet, DeepEMD): four blocks, 84 px give 5 x 5";
    Entry::<Backbones>::new("resnet12", about, Arc::new(Registered))
        .with_settings(schemars::schema_for!(ResNet12Settings))
        .with_conditions(&[DROPS, Condition { key: "drop_block_steps", ..DROPS }])
}

/// The settings of `resnet12`, which stand beside `backbone` in `[model]`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ResNet12Settings {
    /// Channels of the four blocks. [16, 32, 64, 128] is a narrow network for few cores and small images.
    #[schemars(inner(range(min = 1, max = 8192)))]
    widths: [usize; 4],
    /// The fraction of the maps of `layer3` and `layer4` that DropBlock zeroes in training once it has risen to its end;
    /// 0 is DeepEMD's, 0.1 MetaOptNet's.
    #[schemars(range(min = 0.0, max = 0.99))]
    drop_block: f64,
    /// Side of the squares that DropBlock zeroes, in positions of the map.
    #[schemars(range(min = 1))]
    block_size: usize,
    /// Steps over which DropBlock rises from nothing to `drop_block`, in a straight line. 40000 is MetaOptNet's.
    #[schemars(range(min = 1))]
    drop_block_steps: u64,
    /// Dropout of single numbers behind `layer1` and `layer2` in training. MetaOptNet sets it as `drop_block`.
    #[schemars(range(min = 0.0, max = 0.99))]
    early_dropout: f64,
}

impl Default for ResNet12Settings {
    fn default() -> Self {
        Self {
            widths: [64, 160, 320, 640],
            drop_block: 0.0,
            block_size: 5,
            drop_block_steps: 40_000,
            early_dropout: 0.0,
        }
    }
}

struct Registered;

impl RegisteredBackbone for Registered {
    fn build(&self, builder: Builder<'_>, settings: OwnSettings<'_>) -> Result<Box<dyn Backbone>> {
        Ok(Box::new(ResNet12::new(builder, read_settings(settings)?)?))
    }

    fn renames(&self) -> &'static [(&'static str, &'static str)] {
        RENAMES
    }

    /// Of the widths that it has without settings.
    fn program(&self) -> Option<BackboneProgram> {
        Some(BackboneProgram {
            package: None,
            definitions: include_str!("resnet12.py"),
            build: "ResNet12({classes})".to_owned(),
            features: "return net.layer4(net.layer3(net.layer2(net.layer1(x))))",
            rectify: false,
            pool: 1,
            classifier: "classifier",
        })
    }
}

/// The slope of the rectifiers below 0.
const SLOPE: f64 = 0.1;

/// Stages `layer1` to `layer4`, each half the size of the one before, rounded down.
struct ResNet12 {
    stages: Vec<Stage>,
    blocks: Vec<Block>,
    settings: ResNet12Settings,
}

/// Three 3 x 3 convolutions and a 1 x 1 shortcut, each with a batch norm, and a 2 x 2 max pool.
struct Block {
    convolutions: [(Conv2d, BatchNorm2d); 3],
    downsample: (Conv2d, BatchNorm2d),
}

impl Block {
    fn new(mut builder: Builder<'_>, channels: usize, width: usize, of_images: bool) -> Result<Self> {
        let mut layer = |(conv, norm): (&str, &str), channels, kernel: usize, first: bool| -> Result<_> {
            let settings = Conv2dSettings { padding: (kernel / 2, kernel / 2), ..Conv2dSettings::default() };
            let place = builder.pp(conv);
            let place = if first { place.of_images() } else { place };
            let conv = Conv2d::new(place, (channels, width), (kernel, kernel), settings, ConvInit::HeFanOut)?;
            Ok((conv, BatchNorm2d::new(builder.pp(norm), width, BatchNormSettings::default())?))
        };
        Ok(Self {
            convolutions: [
                layer(("conv1", "bn1"), channels, 3, of_images)?,
                layer(("conv2", "bn2"), width, 3, false)?,
                layer(("conv3", "bn3"), width, 3, false)?,
            ],
            downsample: layer(("downsample.0", "downsample.1"), channels, 1, of_images)?,
        })
    }

    fn forward(&self, tape: &mut Tape, x: Value) -> Result<Value> {
        let (conv, norm) = &self.downsample;
        let shortcut = conv.forward_normalised(tape, x.clone(), norm, Activation::Identity)?;
        let mut y = x;
        for (index, (conv, norm)) in self.convolutions.iter().enumerate() {
            y = conv.forward_normalised(tape, y, norm, Activation::Identity)?;
            if index < 2 {
                y = ops::leaky_relu(tape, y, SLOPE)?;
            }
        }
        y = ops::add(tape, y, shortcut)?;
        y = ops::leaky_relu(tape, y, SLOPE)?;
        ops::max_pool2d(tape, y, Pool2dSettings { kernel: 2, stride: 2, padding: 0 })
    }
}

impl ResNet12 {
    fn new(mut builder: Builder<'_>, settings: ResNet12Settings) -> Result<Self> {
        let (mut stages, mut blocks, mut channels) = (vec![], vec![], 3);
        for (index, &width) in settings.widths.iter().enumerate() {
            let name = format!("layer{}", index + 1);
            blocks.push(Block::new(builder.pp(&name).pp(0), channels, width, index == 0)?);
            stages.push(Stage { prefixes: vec![name.clone()], name, channels: width });
            channels = width;
        }
        Ok(Self { stages, blocks, settings })
    }

    /// Dropout of single numbers behind the first two blocks, of squares behind the others.
    fn dropped(&self, tape: &mut Tape, stage: usize, y: Value) -> Result<Value> {
        let ResNet12Settings { drop_block, block_size, drop_block_steps, early_dropout, .. } = self.settings;
        if stage < 2 {
            return ops::dropout(tape, y, early_dropout);
        }
        let (_, _, h, w) = y.dims4()?;
        if drop_block > 0.0 && block_size > h.min(w) {
            let what = format!(
                "{block_size}, but the maps of layer{} are {h} x {w}; expected at most {}, or larger images",
                stage + 1,
                h.min(w)
            );
            return Err(Error::setting("model.block_size", what));
        }
        let risen = (tape.step().saturating_add(1) as f64 / drop_block_steps.max(1) as f64).min(1.0);
        ops::drop_block(tape, y, drop_block * risen, block_size)
    }
}

impl Backbone for ResNet12 {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Features> {
        run_stages(tape, images, taps, |tape, stage, x| {
            let y = self.blocks[stage].forward(tape, x)?;
            self.dropped(tape, stage, y)
        })
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        let layers = self.blocks.iter().flat_map(|block| block.convolutions.iter().chain([&block.downsample]));
        layers.map(|(_, norm)| norm).collect()
    }
}
