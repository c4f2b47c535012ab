//! A backbone of one's own: three convolutions with norms, written against mga-core's layers alone and registered beside
//! the built-in ones. Nothing in `mga-models` has to change for it.
//!
//!     cargo run --release -p mga-models --example own_backbone

use candle_core::{DType, Device, Tensor};
use mga_core::loss::{Guidance, MaskGuidedLoss};
use mga_core::nn::{BatchNorm2d, BatchNormSettings, Conv2d, ConvInit};
use mga_core::ops::{Activation, Attention, Conv2dSettings};
use mga_core::parameter::{Builder, ParameterStore};
use mga_core::random::Generator;
use mga_core::tape::{Tape, Value};
use mga_models::backbone::run_stages;
use mga_models::head::HeadKind;
use mga_models::{Backbone, BackboneEntry, Error, Input, MgaModel, ModelSettings, Registry, Result, Stage, StageId};

/// What an experiment names: `backbone = "tiny"`.
const TINY: BackboneEntry = BackboneEntry {
    name: "tiny",
    about: "three strided convolutions, an example of a backbone from another crate",
    build: |builder| Ok(Box::new(Tiny::new(builder)?)),
    head: HeadKind::Linear { relu: false, dropout: 0.0, name: "classifier" },
    renames: &[],
    freeze_through: None,
};

/// Stages `stage1` to `stage3`, each half the size of the one before.
struct Tiny {
    stages: Vec<Stage>,
    layers: Vec<(Conv2d, BatchNorm2d)>,
}

impl Tiny {
    fn new(mut builder: Builder<'_>) -> Result<Self> {
        let settings = Conv2dSettings { stride: 2, padding: (1, 1), ..Conv2dSettings::default() };
        let (mut stages, mut layers, mut channels) = (vec![], vec![], 3);
        for (index, out) in [16, 32, 64].into_iter().enumerate() {
            let name = format!("stage{}", index + 1);
            let mut builder = builder.pp(&name);
            // The first takes the images, and sees the mask where that is a channel of theirs.
            let place = builder.pp("conv");
            let place = if index == 0 { place.of_images() } else { place };
            let conv = Conv2d::new(place, (channels, out), (3, 3), settings, ConvInit::HeFanOut)?;
            layers.push((conv, BatchNorm2d::new(builder.pp("norm"), out, BatchNormSettings::default())?));
            stages.push(Stage { prefixes: vec![name.clone()], name, channels: out });
            channels = out;
        }
        Ok(Self { stages, layers })
    }
}

impl Backbone for Tiny {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Vec<Value>> {
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

/// The losses of `steps` steps on eight images of noise, each with a mask of noise, that are to be learnt by heart.
fn train(registry: &Registry, backbone: &str, steps: u64) -> Result<Vec<f32>> {
    let entry = registry.backbone(backbone).ok_or_else(|| Error::settings(format!("no backbone `{backbone}`")))?;
    let settings = ModelSettings {
        classes: 4,
        input: Input::Image,
        attention: Attention::Residual,
        residual_weights: (0.5, 0.5),
        mask_guidance: true,
        freeze_through: None,
        freeze_norm: false,
        dropout: None,
    };
    let model = MgaModel::new(entry, settings, ParameterStore::new(1, DType::F32, &Device::Cpu))?;
    let images = noise("images", 3, |generator| generator.normal())?;
    let masks = noise("masks", 1, |generator| generator.uniform())?;
    let objective = MaskGuidedLoss::default();
    let labels = [0, 1, 2, 3, 0, 1, 2, 3];

    let mut losses = vec![];
    for step in 0..steps {
        let mut tape = Tape::train(1, step);
        let x = tape.constant(&images)?;
        let prediction = model.forward(&mut tape, x)?;
        let guided = |attention| Guidance { attention, masks: &masks, counted: None, has_mask: &[true; 8] };
        let guidance = prediction.attention.map(guided);
        let loss = objective.forward(&mut tape, prediction.logits, &labels, guidance)?.total;
        losses.push(loss.tensor().to_vec0()?);
        for (id, gradient) in tape.backward(&loss, 1.0)?.into_parameters() {
            if let Some(parameter) = model.store().by_id(id) {
                parameter.set((parameter.tensor() - (gradient * 0.1)?)?)?;
            }
        }
    }
    Ok(losses)
}

/// Eight images of 32 x 32, `[8, channels, 32, 32]`.
fn noise(purpose: &str, channels: usize, draw: impl Fn(&mut Generator) -> f64) -> Result<Tensor> {
    let mut generator = Generator::new(1, purpose, &[]);
    let values: Vec<f32> = (0..8 * channels * 32 * 32).map(|_| draw(&mut generator) as f32).collect();
    Ok(Tensor::from_vec(values, (8, channels, 32, 32), &Device::Cpu)?)
}

fn main() -> Result<()> {
    let registry = Registry::builtin().with_backbone(TINY);
    for (step, loss) in train(&registry, TINY.name, 30)?.into_iter().enumerate() {
        if step % 5 == 0 || step == 29 {
            println!("step {step:2}: loss {loss:.4}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_falls_and_the_built_in_backbones_stay() -> Result<()> {
        let registry = Registry::builtin().with_backbone(TINY);
        let losses = train(&registry, "tiny", 20)?;
        assert!(losses[19] < 0.5 * losses[0], "{losses:?}");
        assert_eq!(registry.backbones().len(), Registry::builtin().backbones().len() + 1);
        Ok(())
    }
}
