//! The pictures at the end of a run: image, mask and attention of some test images.

use candle_core::DType;
use mga_core::tape::Tape;
use mga_data::{Batch, Mask, Picture};
use mga_models::MgaModel;

use crate::assemble::normalisation;
use crate::data_set::OpenData;
use crate::experiment::Loaded;
use crate::loaders;
use crate::pictures::{grey, grid, overlay, save_png};
use crate::run_folder::RunFolder;

/// How many images are shown, spread over the split.
const SHOWN: usize = 12;

/// Writes `pictures/overview.png`: a row for each of up to [`SHOWN`] images, image, mask and attention side by side.
pub fn write(
    loaded: &Loaded,
    model: &MgaModel,
    data: &OpenData,
    indices: &[usize],
    folder: &RunFolder,
) -> anyhow::Result<()> {
    let step = indices.len().div_ceil(SHOWN).max(1);
    let chosen: Vec<usize> = indices.iter().copied().step_by(step).collect();
    let loader = loaders::evaluation(loaded, data, &chosen)?;
    let mut rows = vec![];
    for batch in loader.epoch(0, 0) {
        let batch = batch?;
        let maps = attention_maps(model, &batch)?;
        for index in 0..batch.len() {
            let picture = picture_of(loaded, &batch, index)?;
            let mut parts = vec![picture.clone()];
            if batch.has_mask[index] {
                let (height, width) = (picture.height(), picture.width());
                let values = batch.masks.get(index)?.flatten_all()?.to_vec1::<f32>()?;
                parts.extend(Mask::new(width, height, values).as_ref().map(grey));
            }
            if let Some(map) = &maps {
                parts.push(overlay(&picture, &map[index]));
            }
            rows.push(parts);
        }
    }
    // Two images a line: a page is wider than tall then.
    let lines: Vec<Vec<Picture>> = rows.chunks(2).map(<[_]>::concat).collect();
    match grid(&lines) {
        Some(picture) => Ok(save_png(&picture, &folder.pictures().join("overview.png"))?),
        None => Ok(()),
    }
}

/// The attention of every image of a batch; `None` for a model without.
pub fn attention_maps(model: &MgaModel, batch: &Batch) -> anyhow::Result<Option<Vec<Mask>>> {
    let mut tape = Tape::eval();
    let images = tape.constant(&batch.images.to_device(model.store().device())?)?;
    let Some(attention) = model.forward(&mut tape, images)?.attention else { return Ok(None) };
    let (n, _, height, width) = attention.dims4()?;
    let maps = attention.tensor().to_dtype(DType::F32)?.reshape((n, height * width))?.to_vec2::<f32>()?;
    Ok(Some(maps.into_iter().filter_map(|values| Mask::new(width, height, values)).collect()))
}

/// The picture as the model sees it, without the normalisation.
pub fn picture_of(loaded: &Loaded, batch: &Batch, index: usize) -> anyhow::Result<Picture> {
    let (mean, std) = normalisation(&loaded.experiment);
    let image = batch.images.get(index)?;
    let (_, height, width) = image.dims3()?;
    let planes = image.flatten_from(1)?.to_vec2::<f32>()?;
    let pixels = (0..height * width)
        .flat_map(|place| (0..3).map(move |c| (place, c)))
        .map(|(place, c)| (planes[c][place] * std[c] + mean[c]).clamp(0.0, 1.0))
        .collect();
    Picture::new(width, height, pixels).ok_or_else(|| anyhow::anyhow!("an empty picture"))
}
