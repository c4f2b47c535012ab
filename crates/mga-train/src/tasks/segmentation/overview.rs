//! The picture at the end of a segmentation run.

use std::sync::Arc;

use anyhow::Context;
use mga_data::annotations::Annotated;
use mga_data::{Batch, Picture};
use mga_experiment::Loaded;

use super::network::{Segmenter, classes_of, labels, logits};
use crate::assemble;
use crate::gallery::{LARGEST_SIDE, OVERVIEW};
use crate::loaders;
use crate::pictures::{Entry, Figure, LEAST_SIDE, save_png};
use crate::prediction::spread;
use crate::run_folder::RunFolder;

/// How many images the picture of a run shows.
const SHOWN: usize = 12;

/// Writes `pictures/overview.png`: image, label map and prediction of up to `SHOWN` images, spread over the split.
pub(super) fn overview(job: &Segmenter<'_>, indices: &[usize], folder: &RunFolder) -> anyhow::Result<()> {
    let loaded = job.loaded;
    let shown = spread(indices, SHOWN);
    let loader = loaders::one_by_one(loaded, Arc::<Annotated>::clone(&job.data.annotated), shown)?;
    let mut entries = vec![];
    for batch in loader.epoch(0, 0) {
        let batch = batch?;
        let predicted = classes_of(&logits(job, &batch)?)?;
        let classes = job.data.annotated.classes().len();
        let (_, _, _, width) = batch.images.dims4()?;
        let labels = labels(&batch)?;
        let pictures = [image_of(loaded, &batch)?, shades(&labels, width, classes), shades(&predicted, width, classes)];
        entries.push(Entry { pictures: pictures.to_vec(), lines: batch.ids.clone(), verdict: None });
    }
    let heads = ["image", "annotation", "prediction"].map(str::to_owned).to_vec();
    let longer = |picture: &Picture| picture.width().max(picture.height());
    let native = entries.iter().flat_map(|entry| entry.pictures.iter().flatten()).map(longer).max();
    let side = native.unwrap_or_default().clamp(LEAST_SIDE, LARGEST_SIDE);
    if let Some((picture, _)) = (Figure { heads, entries, per_line: 2, side, maps: false }).draw() {
        save_png(&picture, &folder.pictures().join(OVERVIEW)).context("cannot write pictures/overview.png")?;
    }
    Ok(())
}

/// The first image of a batch, without its normalisation.
fn image_of(loaded: &Loaded, batch: &Batch) -> anyhow::Result<Option<Picture>> {
    let (mean, std) = assemble::normalisation(&loaded.experiment);
    let (_, _, height, width) = batch.images.dims4()?;
    let values = batch.images.get(0)?.flatten_all()?.to_vec1::<f32>()?;
    let plane = height * width;
    let pixels = (0..plane).flat_map(|place| {
        let values = &values;
        (0..3).map(move |channel| (values[channel * plane + place] * std[channel] + mean[channel]).clamp(0.0, 1.0))
    });
    Ok(Picture::new(width, height, pixels.collect()))
}

/// Classes in grey, the first black and the last white; what counts nowhere is blue.
fn shades(labels: &[u32], width: usize, classes: usize) -> Option<Picture> {
    let shade = |&label: &u32| {
        let grey = label as f32 / (classes.max(2) - 1) as f32;
        if (label as usize) < classes { [grey; 3] } else { [0.1, 0.2, 0.6] }
    };
    Picture::new(width, labels.len() / width.max(1), labels.iter().flat_map(shade).collect())
}
