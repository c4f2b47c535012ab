//! The features of images: maps of the backbone behind its attention, or the vectors of an image's patches.

use candle_core::Tensor;
use mga_core::ops;
use mga_core::tape::{Tape, Value};
use mga_data::Batch;
use mga_models::MgaModel;
use mga_models::attention::Attended;

use crate::network_input::network_input;

/// The beginning of the names of views that are patches of an image.
const PATCH: &str = "patch";

/// The features of a batch.
pub(super) struct Encoded {
    /// `[N, C, h, w]`; of patches `[N, C, 1, P]`, a place for each.
    pub(super) maps: Value,
    /// `[N, 1, h, w]` in 0 to 1, where the model has an attention map and images are no patches.
    pub(super) attention: Option<Value>,
}

/// Computes the features of a batch on the tape.
///
/// # Errors
/// What the model refuses.
pub(super) fn encode(model: &MgaModel, tape: &mut Tape, batch: &Batch) -> anyhow::Result<Encoded> {
    let patches: Vec<&Tensor> =
        batch.tensors.iter().filter(|(name, _)| name.starts_with(PATCH)).map(|(_, view)| view).collect();
    if patches.is_empty() {
        let images = tape.constant(&network_input(model, batch)?)?;
        let Attended { features, map } = attended(model, tape, images)?;
        return Ok(Encoded { maps: features.into_last()?, attention: map });
    }
    let (images, patch_count) = (batch.len(), patches.len());
    let views = tape.constant(&Tensor::cat(&patches, 0)?.to_device(model.store().device())?)?;
    let maps = attended(model, tape, views)?.features.into_last()?;
    let pooled = ops::adaptive_avg_pool2d(tape, maps, (1, 1))?;
    let channels = pooled.dims4()?.1;
    // `[P * N, C, 1, 1]` to `[N, C, 1, P]`.
    let pooled = ops::reshape(tape, pooled, &[patch_count, images, channels])?;
    let pooled = ops::permute(tape, pooled, &[1, 2, 0])?;
    let maps = ops::reshape(tape, pooled, &[images, channels, 1, patch_count])?;
    Ok(Encoded { maps, attention: None })
}

fn attended(model: &MgaModel, tape: &mut Tape, images: Value) -> anyhow::Result<Attended> {
    let features = model.features(tape, images)?;
    Ok(model.attend(tape, features)?)
}
