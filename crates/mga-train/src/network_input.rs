//! A batch as the network is shown it: images, or images and masks (`model.input`).

use candle_core::Tensor;
use mga_data::Batch;
use mga_models::MgaModel;

/// Returns the network's input, on its device.
///
/// # Errors
/// An image without a mask, where the network is shown masks.
pub fn network_input(model: &MgaModel, batch: &Batch) -> anyhow::Result<Tensor> {
    let lacking = batch.has_mask.iter().position(|has| !has).filter(|_| model.needs_masks());
    if let Some(id) = lacking.and_then(|index| batch.ids.get(index)) {
        anyhow::bail!("{id}: has no mask, and the network is shown one with every image ({})", why(model));
    }
    Ok(model.input(&batch.images, &batch.masks)?.to_device(model.store().device())?)
}

/// Refuses a network that takes masks as input if only images are available; `why` explains it.
///
/// # Errors
/// A network that is shown masks.
pub fn needs_no_masks(model: &MgaModel, why: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        !model.needs_masks(),
        "this network is shown a mask with every image ({}), and {why}",
        self::why(model)
    );
    Ok(())
}

/// The setting that shows it masks, as an experiment file spells it.
fn why(model: &MgaModel) -> String {
    let settings = model.settings();
    if !settings.input.needs_masks() {
        return format!("model.attention = \"{}\"", settings.attention.name);
    }
    let name = serde_json::to_value(settings.input).ok().and_then(|name| name.as_str().map(str::to_owned));
    format!("model.input = \"{}\"", name.unwrap_or_default())
}
