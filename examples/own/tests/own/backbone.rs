//! The backbone, trained on its own against mga-core and mga-models alone.

use candle_core::{DType, Device, Tensor};
use mga_core::loss::{Guidance, MaskGuidedLoss};
use mga_core::ops::Attention;
use mga_core::parameter::ParameterStore;
use mga_core::random::Generator;
use mga_core::tape::Tape;
use mga_models::{Error, Input, MgaModel, ModelSettings, Registry, Result};
use mga_own::backbone::STRIDED;

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

#[test]
fn the_loss_falls_and_the_built_in_backbones_stay() -> Result<()> {
    let registry = Registry::builtin().with_backbone(STRIDED);
    let losses = train(&registry, STRIDED.name, 20)?;
    assert!(losses[19] < 0.5 * losses[0], "{losses:?}");
    assert_eq!(registry.backbones().len(), Registry::builtin().backbones().len() + 1);
    Ok(())
}
