//! The construction of the things that an experiment names: device, threads, model.

use std::path::Path;

use anyhow::Context;
use candle_core::{DType, Device};
use mga_core::parameter::ParameterStore;
use mga_data::transforms::Rounding;
use mga_experiment::{Components, Experiment, Loaded, Masks, PREVIOUS};
use mga_models::weights::published::IMAGENET;
use mga_models::{MgaModel, ModelSettings, weights};

use crate::tasks::Job;
use crate::weights_source::{self, WeightsFile};

/// Returns the device of `device = "auto" | "cpu" | "cuda" | "cuda:N"`. There is no silent fallback: a GPU that is
/// asked for and not there is an error, and `auto` says why it takes the CPU where a CUDA build finds no GPU.
pub fn device(loaded: &Loaded) -> anyhow::Result<Device> {
    device_called(&loaded.experiment.device).map_err(|why| loaded.error("device", why).into())
}

/// Opens a device by name, like [`device`]; the error is a sentence.
pub fn device_called(name: &str) -> Result<Device, String> {
    let cannot = |e: candle_core::Error| {
        let hint = if cfg!(feature = "cuda") { "" } else { "; this mga was built without the cuda feature" };
        format!("{name} cannot be used: {e}{hint}")
    };
    match name {
        "cpu" => Ok(Device::Cpu),
        // Whether the cuda feature was built in; a usable GPU is another matter.
        "auto" if candle_core::utils::cuda_is_available() => Ok(Device::new_cuda(0).unwrap_or_else(|e| {
            // A backtrace may follow.
            let why = e.to_string();
            let why = why.lines().next().unwrap_or_default();
            log::info!("note: device = \"auto\" takes the CPU, for cuda:0 cannot be used: {why}");
            Device::Cpu
        })),
        "auto" => Ok(Device::Cpu),
        "cuda" => Device::new_cuda(0).map_err(cannot),
        _ => {
            let index = name.strip_prefix("cuda:").and_then(|index| index.parse().ok());
            let index = index.ok_or_else(|| format!("expected auto, cpu or cuda:N, found {name}"))?;
            Device::new_cuda(index).map_err(cannot)
        }
    }
}

/// Returns the device in words.
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

/// Returns the means and deviations of the channels: those of the experiment, which [`settle_weights`] takes from the
/// weights, or else ImageNet's.
pub fn normalisation(experiment: &Experiment) -> ([f32; 3], [f32; 3]) {
    let (mean, std) = normalisation_wide(experiment);
    (mean.map(|v| v as f32), std.map(|v| v as f32))
}

/// Returns the means and deviations of the channels as they are written.
pub fn normalisation_wide(experiment: &Experiment) -> ([f64; 3], [f64; 3]) {
    (experiment.data.mean.unwrap_or(IMAGENET.0), experiment.data.std.unwrap_or(IMAGENET.1))
}

/// Returns the experiment's settings of the model, for `classes` classes.
pub fn model_settings(experiment: &Experiment, classes: usize) -> ModelSettings {
    let model = &experiment.model;
    ModelSettings {
        backbone: model.network(),
        classes,
        input: model.input,
        attention: model.attention.clone(),
        residual_weights: (model.residual_weights[0], model.residual_weights[1]),
        mask_guidance: model.mask_guidance,
        freeze_through: (model.freeze_through != "none").then(|| model.freeze_through.clone()),
        freeze_norm: model.freeze_norm,
        head: model.head.clone(),
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
    // The classes are those of the data.
    let table = if classes < 2 { "data" } else { "model" };
    let model = MgaModel::new(&components.kinds, model_settings(experiment, classes), store);
    Ok(model.map_err(|error| loaded.error_in(table, error))?)
}

/// Finds the weights that the experiment names, downloading them if need be, and settles what follows from them: the
/// commit in place of a branch in `model.weights`, and their normalisation where the experiment sets none. So the resolved
/// experiment says exactly what was used. `None`: it starts from fresh weights, or from those of the stage before.
///
/// # Errors
/// No such weights, weights of another backbone, no network.
pub fn settle_weights(loaded: &mut Loaded, components: &Components) -> anyhow::Result<Option<WeightsFile>> {
    let model = &loaded.experiment.model;
    if model.weights == PREVIOUS {
        return Ok(None);
    }
    if let Some((key, message)) = components.networks().misfit(&model.weights, &model.network()) {
        return Err(loaded.error(&format!("model.{key}"), message).into());
    }
    let found = weights_source::find(&model.weights, &model.backbone, components.networks(), &components.hub);
    let failed = |error| hub_error(loaded, "model.weights", &loaded.experiment.model.weights, error);
    let Some(found) = found.map_err(failed)? else { return Ok(None) };
    loaded.experiment.model.weights.clone_from(&found.pinned);
    normalise_as(loaded, &found);
    Ok(Some(found))
}

/// Finds the weights of the segmenters that make an experiment's masks, where they are named by name, and writes their
/// commits in place of the branches, so that the resolved experiment says exactly what made the masks.
///
/// # Errors
/// No such weights, weights of another network, no network.
pub fn settle_mask_weights(loaded: &mut Loaded, components: &Components) -> anyhow::Result<()> {
    let networks = components.networks();
    let found = |at: &str, masks: Option<&Masks>| -> anyhow::Result<Option<String>> {
        let Some(masks) = masks else { return Ok(None) };
        let of = masks.settings.of.as_ref().map(|of| of.name.as_str());
        let mut sources = masks.settings.source.as_deref().into_iter().chain(of);
        let network = sources.find(|name| networks.network(name).is_some());
        let named = masks.segmenter.as_ref().and_then(|segmenter| segmenter.weights.as_deref());
        let (Some(network), Some(named)) = (network, named) else { return Ok(None) };
        if !weights_source::is_name(named) || Path::new(named).exists() {
            return Ok(None);
        }
        let found = weights_source::find(named, network, networks, &components.hub);
        let found = found.map_err(|error| hub_error(loaded, &format!("{at}.segmenter.weights"), named, error))?;
        Ok(found.map(|found| found.pinned))
    };
    let masks = found("data.masks", Some(&loaded.experiment.data.masks))?;
    let reference = found("eval.reference_masks", loaded.experiment.eval.reference_masks.as_ref())?;
    let experiment = &mut loaded.experiment;
    let tables = [(Some(&mut experiment.data.masks), masks), (experiment.eval.reference_masks.as_mut(), reference)];
    for (table, pinned) in tables {
        if let (Some(segmenter), Some(pinned)) = (table.and_then(|masks| masks.segmenter.as_mut()), pinned) {
            segmenter.weights = Some(pinned);
        }
    }
    Ok(())
}

/// Normalises images as those weights expect, and rounds them where they are resized as theirs were, unless the
/// experiment says how.
pub fn normalise_as(loaded: &mut Loaded, weights: &WeightsFile) {
    let Some(own) = &weights.preprocessing else { return };
    let rounds = own.rounding == Rounding::EightBit && loaded.takes_new_default("data.resize_rounding");
    let data = &mut loaded.experiment.data;
    if let (None, None) = (data.mean, data.std) {
        (data.mean, data.std) = (Some(own.mean), Some(own.std));
    }
    if rounds {
        data.resize_rounding = Some(own.rounding);
    }
}

/// Normalises images as the stage before did, and rounds them as it did where they are resized, where this one starts from
/// that one's weights and does not say how.
pub fn normalise_as_previous(loaded: &mut Loaded, previous: &Experiment) {
    if loaded.experiment.model.weights != PREVIOUS {
        return;
    }
    let rounds = loaded.takes_new_default("data.resize_rounding");
    let data = &mut loaded.experiment.data;
    if let (None, None) = (data.mean, data.std) {
        (data.mean, data.std) = (previous.data.mean, previous.data.std);
    }
    if rounds && data.resize_rounding.is_none() {
        data.resize_rounding = previous.data.resize_rounding;
    }
}

/// What is wrong with the setting is shown where it was written; a network that is down is no fault of it.
fn hub_error(loaded: &Loaded, key: &str, named: &str, error: anyhow::Error) -> anyhow::Error {
    use mga_hub::Error;
    match error.downcast_ref::<Error>() {
        Some(Error::Unreachable { .. } | Error::Full { .. } | Error::Io { .. } | Error::Broken { .. }) => {
            error.context(format!("{key} = \"{named}\""))
        }
        _ => loaded.error(key, format!("{error:#}")).into(),
    }
}

/// Puts found weights into a fresh model; says what was loaded, and lists what was not.
pub fn load_weights(loaded: &Loaded, job: &dyn Job, weights: &WeightsFile) -> anyhow::Result<String> {
    let report = job.load_weights(&weights.path).map_err(|e| loaded.error("model.weights", format!("{e:#}")))?;
    let data = &loaded.experiment.data;
    let unsaid = if weights.preprocessing.is_none() && data.mean.is_none() {
        "\nnote: nothing says how their images were normalised; mean and deviation are ImageNet's where the experiment \
         does not set them (data.mean, data.std)"
    } else {
        ""
    };
    Ok(format!("{}: {report}{unsaid}", weights.label))
}

/// Puts a file's weights into the model, under torchvision's, the publishers', the authors' or our names.
pub fn load_file(
    loaded: &Loaded,
    components: &Components,
    model: &MgaModel,
    path: &Path,
) -> anyhow::Result<weights::LoadReport> {
    let renames = components.networks().renames(&loaded.experiment.model.backbone);
    let strict = loaded.experiment.model.strict;
    let own = components.networks().known_backbone(&loaded.experiment.model.backbone)?.head();
    let other = model.settings().head.as_ref().is_some_and(|head| head.name != own.name);
    let load = if other { weights::load_file_for_other_head } else { weights::load_file };
    load(model.store(), path, &renames, strict).context("loading weights")
}
