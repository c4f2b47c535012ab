//! The backbone, trained on its own against mga-core and mga-models alone.

use candle_core::{DType, Device, Tensor};
use mga_core::loss::{Guidance, MaskGuidedLoss};
use mga_core::parameter::ParameterStore;
use mga_core::random::Generator;
use mga_core::tape::Tape;
use mga_models::{MgaModel, ModelSettings, Result, builtin};
use mga_own::backbone::entry;
use mga_registry::Choice;
use serde_json::json;

/// The losses of `steps` steps on eight images of noise, each with a mask of noise, that are to be learnt by heart.
fn train(width: usize, steps: u64) -> Result<Vec<f32>> {
    let registry = builtin().with(entry());
    let settings = ModelSettings {
        attention: "residual".into(),
        mask_guidance: true,
        ..ModelSettings::new(Choice::new("strided", json!({ "width": width })), 4)
    };
    let model = MgaModel::new(&registry, settings, ParameterStore::new(1, DType::F32, &Device::Cpu))?;
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
fn the_loss_falls_at_any_width() -> Result<()> {
    let losses = [train(16, 20)?, train(24, 20)?];
    assert!(losses.iter().all(|losses| losses[19] < 0.5 * losses[0]) && losses[0] != losses[1], "{losses:?}");
    Ok(())
}

#[test]
fn settings_that_it_does_not_have_are_told_at_their_key() {
    let registry = builtin().with(entry());
    let refused = |settings| {
        let settings = ModelSettings::new(Choice::new("strided", settings), 4);
        MgaModel::new(&registry, settings, ParameterStore::new(1, DType::F32, &Device::Cpu)).err().unwrap().to_string()
    };
    assert!(refused(json!({ "width": -1 })).starts_with("model.width: "));
    assert!(refused(json!({ "widht": 8 })).starts_with("model.widht: unknown field"));
}
