//! The search for errors that a segmentation network would meet only in the middle or at the end of its training.

use candle_core::{DType, Tensor};
use mga_core::tape::Tape;
use mga_data::Source;
use rayon::prelude::*;

use super::data::AnnotatedData;
use super::network::Segmenter;
use crate::rehearsal::{Rehearsal, Sizes, first};

/// Refuses what training this network would come to later. The network is left as it is.
///
/// # Errors
/// Everything that is wrong, at the settings that it is about.
pub(super) fn rehearse(job: &Segmenter<'_>) -> anyhow::Result<()> {
    let mut found = Rehearsal::of(job.loaded);
    let splits = &job.data.splits;
    found.optimiser(&job.store);
    found.selection(splits.test.len());
    let sizes = annotations(&mut found, job.data);
    let pass = |job: &Segmenter<'_>, mut tape: Tape, (height, width): (usize, usize)| -> anyhow::Result<()> {
        let images = Tensor::zeros((1, 3, height, width), DType::F32, job.store.device())?;
        let images = tape.constant(&images)?;
        job.network.forward(&mut tape, images)?;
        Ok(())
    };
    let looks = |size| pass(job, Tape::eval(), size);
    // A step moves the running statistics, so it is another network that makes it.
    let another = || Segmenter::new(job.loaded, job.components, job.data, job.store.device(), false);
    let trains_alone = |size| pass(&another()?, Tape::train(0, 0), size);
    if let Some(sizes) = sizes {
        found.batches(&sizes, &splits.train, &[&splits.validation, &splits.test], &looks, &trains_alone)?;
    }
    found.end()
}

/// Every annotation can be read and fits its image; gives the images' sizes as they come to the transforms.
fn annotations(found: &mut Rehearsal<'_>, data: &AnnotatedData) -> Option<Sizes<'static>> {
    let splits = &data.splits;
    let all: Vec<usize> = [&splits.train, &splits.validation, &splits.test].into_iter().flatten().copied().collect();
    let read = all.par_iter().map(|&index| match data.annotated.load(index) {
        Ok((picture, _)) => Ok((index, (picture.height(), picture.width()))),
        Err(error) => Err(error.to_string()),
    });
    let read: Vec<Result<_, String>> = read.collect();
    let wrong: Vec<&str> = read.iter().filter_map(|read| read.as_ref().err().map(String::as_str)).collect();
    if !wrong.is_empty() && !data.skips {
        let message = format!("{} of {} images cannot be used: {}", wrong.len(), all.len(), first(&wrong));
        found.error("data.annotations", message);
        return None;
    }
    let sizes = read.iter().flatten().copied().collect();
    Some(Sizes::known(data.dataset.records().iter().map(|record| record.id.clone()).collect(), sizes))
}
