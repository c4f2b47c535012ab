//! From an experiment to the things it names: device, threads, model.

use std::path::Path;

use anyhow::Context;
use candle_core::{DType, Device};
use mga_core::ops;
use mga_core::parameter::ParameterStore;
use mga_models::{BackboneEntry, MgaModel, ModelSettings, weights};

use crate::components::Components;
use crate::experiment::{Attention, Experiment, Loaded};

/// ImageNet's channel means and deviations, what published weights were trained with.
pub const IMAGENET: ([f64; 3], [f64; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

/// The device of `device = "auto" | "cpu" | "cuda:N"`. There is no silent fallback: a GPU that is asked for and not there
/// is an error.
pub fn device(loaded: &Loaded) -> anyhow::Result<Device> {
    let name = loaded.experiment.device.as_str();
    if name == "auto" {
        return Ok(if candle_core::utils::cuda_is_available() { Device::new_cuda(0)? } else { Device::Cpu });
    }
    if name == "cpu" {
        return Ok(Device::Cpu);
    }
    let index: usize = name.strip_prefix("cuda:").and_then(|n| n.parse().ok()).unwrap_or(0);
    Device::new_cuda(index).map_err(|e| {
        let hint = if cfg!(feature = "cuda") { "" } else { "; this mga was built without the cuda feature" };
        loaded.error("device", format!("{name} cannot be used: {e}{hint}")).into()
    })
}

/// The device in words.
pub fn device_name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".to_owned(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

/// Gives the kernels `threads` threads (0: one a core). Results do not depend on it.
pub fn use_threads(threads: usize) {
    // Fails only where a pool is there already (a second run in one process, as in tests), which may stay.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
}

/// Channel means and deviations: the experiment's, else ImageNet's.
pub fn normalisation(experiment: &Experiment) -> ([f32; 3], [f32; 3]) {
    let narrow = |v: [f64; 3]| v.map(|v| v as f32);
    (narrow(experiment.data.mean.unwrap_or(IMAGENET.0)), narrow(experiment.data.std.unwrap_or(IMAGENET.1)))
}

/// The registered backbone of the experiment.
pub fn backbone<'a>(loaded: &Loaded, components: &'a Components) -> anyhow::Result<&'a BackboneEntry> {
    let name = loaded.experiment.model.backbone.as_str();
    Ok(components.registry.backbone(name).ok_or_else(|| {
        let network = components.registry.segmenter(name).is_some();
        let hint = if network { ": it is a segmentation network; `mga masks --weights RUN` applies it" } else { "" };
        loaded.error("model.backbone", format!("no backbone `{name}`{hint}"))
    })?)
}

/// What the experiment says of the model, for `classes` classes.
pub fn model_settings(experiment: &Experiment, classes: usize) -> ModelSettings {
    let model = &experiment.model;
    ModelSettings {
        classes,
        attention: match model.attention {
            Attention::None => ops::Attention::None,
            Attention::Multiply => ops::Attention::Multiply,
            Attention::Residual => ops::Attention::Residual,
            Attention::Concat => ops::Attention::Concat,
        },
        residual_weights: (model.residual_weights[0], model.residual_weights[1]),
        mask_guidance: model.mask_guidance,
        freeze_through: (model.freeze_through != "none").then(|| model.freeze_through.clone()),
        freeze_norm: model.freeze_norm,
        dropout: model.dropout,
    }
}

/// Builds the model with fresh weights drawn from the experiment's seed.
pub fn fresh_model(
    loaded: &Loaded,
    components: &Components,
    classes: usize,
    device: &Device,
) -> anyhow::Result<MgaModel> {
    let experiment = &loaded.experiment;
    let store = ParameterStore::new(experiment.seed, DType::F32, device);
    let entry = backbone(loaded, components)?;
    Ok(MgaModel::new(entry, model_settings(experiment, classes), store)
        .map_err(|e| loaded.error("model.freeze_through", e.to_string()))?)
}

/// Puts the weights that the experiment names into a fresh model; says what was loaded.
pub fn load_weights(loaded: &Loaded, components: &Components, model: &MgaModel) -> anyhow::Result<Option<String>> {
    let settings = &loaded.experiment.model;
    let Some(path) = settings.weights.strip_prefix("file:") else {
        if settings.weights == "none" {
            return Ok(None);
        }
        let message = format!(
            "weights by name (`{}`) are not available in this version; download the safetensors file and name it as `file:PATH`",
            settings.weights
        );
        return Err(loaded.error("model.weights", message).into());
    };
    let report = load_file(loaded, components, model, Path::new(path))
        .map_err(|e| loaded.error("model.weights", format!("{e:#}")))?;
    Ok(Some(format!("{path}: {report}")))
}

/// Puts a file's weights into the model, under torchvision's, the authors' or our names.
pub fn load_file(
    loaded: &Loaded,
    components: &Components,
    model: &MgaModel,
    path: &Path,
) -> anyhow::Result<weights::LoadReport> {
    let entry = backbone(loaded, components)?;
    weights::load_file(model.store(), path, entry.renames, loaded.experiment.model.strict).context("loading weights")
}
