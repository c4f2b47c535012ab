//! A backbone: a chain of named stages, written with mga-core's layers.

use std::sync::Arc;

use mga_core::Result;
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use mga_core::ops::{Activation, Conv2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_models::backbone::run_stages;
use mga_models::{Backbone, Backbones, Features, RegisteredBackbone, Stage, StageId, read_settings};
use mga_registry::{Entry, OwnSettings};
use schemars::JsonSchema;
use serde::Deserialize;

/// Returns the backbone that an experiment selects with `backbone = "strided"`.
pub fn entry() -> Entry<Backbones> {
    let settings = schemars::schema_for!(StridedSettings);
    Entry::<Backbones>::new("strided", "three strided convolutions with norms", Arc::new(Registered))
        .with_settings(settings)
}

/// The settings, which stand beside `backbone` in `[model]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct StridedSettings {
    /// Channels of the first convolution; each of the others has twice as many as the one before.
    #[schemars(range(min = 1, max = 512))]
    width: usize,
}

impl Default for StridedSettings {
    fn default() -> Self {
        Self { width: 16 }
    }
}

struct Registered;

impl RegisteredBackbone for Registered {
    fn build(&self, builder: Builder<'_>, settings: OwnSettings<'_>) -> Result<Box<dyn Backbone>> {
        Ok(Box::new(Strided::new(builder, &read_settings(settings)?)?))
    }
}

/// Stages `stage1` to `stage3`, each half the size of the one before.
struct Strided {
    stages: Vec<Stage>,
    layers: Vec<(Conv2d, BatchNorm2d)>,
}

impl Strided {
    fn new(mut builder: Builder<'_>, own: &StridedSettings) -> Result<Self> {
        let settings = Conv2dSettings { stride: 2, padding: (1, 1), ..Conv2dSettings::default() };
        let (mut stages, mut layers, mut channels) = (vec![], vec![], 3);
        for (index, out) in [own.width, 2 * own.width, 4 * own.width].into_iter().enumerate() {
            let name = format!("stage{}", index + 1);
            let mut builder = builder.pp(&name);
            let place = builder.pp("conv");
            // The first takes the images, and sees the mask where that is a channel of theirs.
            let place = if index == 0 { place.of_images() } else { place };
            let conv = Conv2d::new(place, (channels, out), (3, 3), settings, ConvInit::HeFanOut)?;
            layers.push((conv, BatchNorm2d::new(builder.pp("norm"), out, BatchNormSettings::default())?));
            stages.push(Stage { prefixes: vec![name.clone()], name, channels: out });
            channels = out;
        }
        Ok(Self { stages, layers })
    }
}

impl Backbone for Strided {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Features> {
        run_stages(tape, images, taps, |tape, stage, x| {
            let (conv, norm) = &self.layers[stage];
            let y = conv.forward(tape, x)?;
            norm.forward(tape, y, Activation::Relu)
        })
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        self.layers.iter().map(|(_, norm)| norm).collect()
    }
}
