//! Gradients of one step against those of another program, at equal weights and inputs.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use candle_core::{DType, Device, Tensor};
use mga_core::tape::Tape;
use mga_experiment::Components;

use super::steps::{Batch, Setting, Work, model};

/// Relative distance (L2, over all gradients together) that rounding in f32 may make.
const ALLOWED: f64 = 1e-5;

/// Compares, and says how far apart the gradients are.
///
/// The file holds `state.NAME` of every tensor of the model, `images`, `labels`, `masks` (where there is an attention map)
/// and `gradient.NAME` of every trained tensor, in the type to compute in (f32 or f64).
///
/// # Errors
/// An entry missing; gradients farther apart than [`ALLOWED`].
pub(super) fn check(setting: &Setting, work: Work, file: &Path, components: &Components) -> anyhow::Result<String> {
    let entries = candle_core::safetensors::load(file, &Device::Cpu)
        .with_context(|| format!("{}: cannot be read as safetensors", file.display()))?;
    let entry =
        |name: &str| entries.get(name).with_context(|| format!("{}: has no entry `{name}`", file.display())).cloned();
    let images = entry("images")?;
    let device =
        mga_train::assemble::device_called(&setting.device).map_err(|why| anyhow::anyhow!("--device: {why}"))?;
    let model = model(setting, images.dtype(), &device, components, Some(0.0))?;
    let state: HashMap<String, Tensor> = entries
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix("state.")?.to_owned(), tensor.clone())))
        .collect();
    let report = mga_models::weights::load_tensors(model.store(), state, &[], true)?;
    let batch = Batch {
        images: images.to_device(&device)?,
        labels: entry("labels")?.to_dtype(DType::U32)?.to_vec1()?,
        masks: setting
            .attention
            .is_some()
            .then(|| entry("masks"))
            .transpose()?
            .map(|m| m.to_device(&device))
            .transpose()?,
    };
    let mut tape = match work {
        Work::Train { recompute } => Tape::train(1, 0).with_recompute(recompute),
        Work::Infer => Tape::train(1, 0),
    };
    let loss = batch.loss(&model, &mut tape)?;
    let gradients = tape.backward(&loss, 1.0)?.into_parameters();
    let (mut apart, mut size) = (0.0, 0.0);
    let mut worst = (0.0, String::new());
    for (id, ours) in &gradients {
        let Some(parameter) = model.store().by_id(*id) else { continue };
        let ours = ours.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
        let theirs = entry(&format!("gradient.{}", parameter.name()))?.to_dtype(DType::F64)?;
        let distance = (&ours - &theirs)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
        let square = theirs.sqr()?.sum_all()?.to_scalar::<f64>()?;
        (apart, size) = (apart + distance, size + square);
        let relative = (distance / square.max(f64::MIN_POSITIVE)).sqrt();
        if relative > worst.0 {
            worst = (relative, parameter.name().to_owned());
        }
    }
    let relative = (apart / size).sqrt();
    let text = format!(
        "{} tensors, {} gradients: relative distance {relative:.1e} over all, at most {:.1e} in one ({})\n",
        report.matched,
        gradients.len(),
        worst.0,
        worst.1
    );
    // Written so that a NaN fails.
    if relative <= ALLOWED {
        return Ok(text);
    }
    anyhow::bail!("the gradients disagree (allowed: {ALLOWED:e}): {text}")
}
