//! Loaders for the splits of an open data set.

use std::sync::Arc;

use anyhow::Context;
use mga_data::sampler::Samplers;
use mga_data::{Loader, LoaderSettings, Pipeline, Source};
use mga_experiment::{Loaded, OnError};

use crate::assemble::normalisation;
use crate::data_set::OpenData;
use crate::pictures::PrintSource;
use crate::tasks::{Job, TaskData};

/// Returns the transforms of `data.train.transforms` or `data.eval.transforms`.
pub fn pipeline(loaded: &Loaded, key: &str, values: &[serde_json::Value]) -> anyhow::Result<Pipeline> {
    let pipeline = Pipeline::read(values, &loaded.kinds).map_err(|e| loaded.error(key, e.to_string()))?;
    Ok(pipeline.rounded(loaded.experiment.data.resize_rounding.unwrap_or_default()))
}

fn settings(loaded: &Loaded) -> LoaderSettings {
    let experiment = &loaded.experiment;
    let data = &experiment.data;
    let (mean, std) = normalisation(experiment);
    LoaderSettings {
        batch_size: data.batch_size,
        shuffle: data.shuffle,
        drop_last: data.drop_last,
        seed: experiment.seed,
        mean,
        std,
        threads: data.workers,
        prefetch: data.prefetch,
        on_error: data.on_error,
    }
}

/// The same for images in their order, all of them, so many at a time.
fn in_order(loaded: &Loaded, batch_size: usize) -> LoaderSettings {
    LoaderSettings { batch_size, shuffle: false, drop_last: false, ..settings(loaded) }
}

/// Creates the loader of training images: shuffled, augmented, with masks.
pub fn training(loaded: &Loaded, data: &OpenData) -> anyhow::Result<Loader> {
    of_source(loaded, data.train_source(), data.splits.train.clone(), true)
}

/// Returns the images to evaluate, in their order, with masks where there are any.
pub fn evaluation(loaded: &Loaded, data: &OpenData, indices: &[usize]) -> anyhow::Result<Loader> {
    of_source(loaded, data.eval_source(), indices.to_vec(), false)
}

/// Returns the images one at a time, whatever their sizes, transformed as for evaluation.
pub fn one_by_one(loaded: &Loaded, source: Arc<dyn Source>, indices: Vec<usize>) -> anyhow::Result<Loader> {
    let settings = in_order(loaded, 1);
    let pipeline = pipeline(loaded, "data.eval.transforms", &loaded.experiment.data.eval.transforms)?;
    Ok(Loader::new(source, indices, pipeline, settings)?)
}

/// Creates a loader like [`one_by_one`] for images that a person named. An image that cannot be loaded does not keep
/// the others from being shown; [`Loader::skipped`] names it afterwards.
pub fn one_by_one_as_far_as_possible(
    loaded: &Loaded,
    source: Arc<dyn Source>,
    indices: Vec<usize>,
) -> anyhow::Result<Loader> {
    let settings = LoaderSettings { on_error: OnError::Skip, ..in_order(loaded, 1) };
    let pipeline = pipeline(loaded, "data.eval.transforms", &loaded.experiment.data.eval.transforms)?;
    Ok(Loader::new(source, indices, pipeline, settings)?)
}

/// Returns the originals of images for print, whose longer side is `side` pixels then.
///
/// # Errors
/// Transforms of evaluation that cannot be read.
pub fn originals(loaded: &Loaded, source: Arc<dyn Source>, side: usize) -> anyhow::Result<PrintSource> {
    let values = &loaded.experiment.data.eval.transforms;
    let key = "data.eval.transforms";
    // Not rounded: the coordinates of pixels go through it, not their colours.
    let pipeline = Pipeline::read(values, &loaded.kinds).map_err(|e| loaded.error(key, e.to_string()))?;
    Ok(PrintSource { source, pipeline, side })
}

/// Returns the images with their masks one at a time, as the files have them: no transform, no normalisation.
pub fn as_they_are(loaded: &Loaded, data: &OpenData, indices: Vec<usize>) -> anyhow::Result<Loader> {
    let settings = LoaderSettings { mean: [0.0; 3], std: [1.0; 3], ..in_order(loaded, 1) };
    Ok(Loader::new(data.eval_source(), indices, Pipeline::default(), settings)?)
}

/// Returns the training images of a job: with its own transforms behind the experiment's, in the batches of the sampler
/// that `[sampler]` names.
///
/// # Errors
/// Settings that do not fit the images, at the place where they were written.
pub fn to_train(loaded: &Loaded, job: &dyn Job, data: &dyn TaskData) -> anyhow::Result<Loader> {
    let (experiment, indices) = (&loaded.experiment, data.splits().train.clone());
    let transforms = [experiment.data.train.transforms.clone(), job.train_transforms()].concat();
    let pipeline = pipeline(loaded, "data.train.transforms", &transforms)?;
    let loader = Loader::new(data.source(true), indices.clone(), pipeline, settings(loaded))?;
    if let Some(sampler) = job.sampler()? {
        return Ok(loader.with_sampler(sampler));
    }
    let Some((name, table)) = experiment.named("sampler") else { return Ok(loader) };
    let entry = loaded.kinds.get::<Samplers>(name).with_context(|| format!("no sampler `{name}` is registered"))?;
    let (records, batch_size) = (data.dataset().records(), experiment.data.batch_size);
    let sampler = entry.item.build(table, records, &indices, experiment.seed, batch_size);
    let sampler = sampler.map_err(|error| loaded.error_in("sampler", error))?;
    Ok(loader.with_sampler(Arc::from(sampler)))
}

/// Returns the images of any source: to train on, shuffled and augmented, or to evaluate, in their order.
pub fn of_source(loaded: &Loaded, source: Arc<dyn Source>, indices: Vec<usize>, train: bool) -> anyhow::Result<Loader> {
    let data = &loaded.experiment.data;
    if train {
        let pipeline = pipeline(loaded, "data.train.transforms", &data.train.transforms)?;
        return Ok(Loader::new(source, indices, pipeline, settings(loaded))?);
    }
    let settings = in_order(loaded, data.eval.batch_size);
    let pipeline = pipeline(loaded, "data.eval.transforms", &data.eval.transforms)?;
    Ok(Loader::new(source, indices, pipeline, settings)?)
}
