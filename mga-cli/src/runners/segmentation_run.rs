//! `mga train` and `mga eval` of an experiment with task = "segmentation".

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use candle_core::{DType, Device};
use indicatif::ProgressBar;
use mga_core::parameter::{Kind, ParameterStore};
use mga_data::annotations::{Annotated, LabelCounts};
use mga_data::content_hash::content_hash;
use mga_data::{Batch, Loader, Picture, Source};
use mga_models::weights::load_network;
use rayon::prelude::*;

use super::class_weights::class_weights;
use super::learner::{Learner, Outcome};
use super::segmentation::Segmentation;
use super::segmentation_evaluation::{Segmented, classes_of, evaluate, logits};
use super::training::Training;
use crate::checkpoint::{self, Progress};
use crate::commands::check::{class_weights_line, preprocessing_line};
use crate::commands::data::images_bar;
use crate::components::Components;
use crate::data_set::{self, AnnotatedData, TornGroups};
use crate::environment::Environment;
use crate::experiment::{Loaded, SelectOn};
use crate::file_hashes::FileHashes;
use crate::fingerprint;
use crate::gallery::OVERVIEW;
use crate::identity::{self, Identity, experiment_hash, weights_hash};
use crate::interrupt::Interrupt;
use crate::mask_files::{unreadable, usable};
use crate::pictures::{grid, save_png};
use crate::prediction::spread;
use crate::progress::Voice;
use crate::run_folder::RunFolder;
use crate::segmenting::TrainedImage;
use crate::weights_source::{self, WeightsFile};
use crate::{assemble, loaders, rehearsal};

/// How many images the picture of a run shows.
const SHOWN: usize = 12;

/// Trains a segmentation network into `folder`, from the start or from where it stopped.
///
/// # Errors
/// Wrong data or weights; a loss that is not finite; a signal.
pub fn train(
    loaded: &mut Loaded,
    components: &Components,
    folder: &RunFolder,
    resume: bool,
    voice: Voice,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    // A checkpoint holds all that the first weights gave, and they may be gone.
    let weights = if resume && folder.last().is_file() { None } else { assemble::settle_weights(loaded, components)? };
    let loaded = &*loaded;
    let experiment = &loaded.experiment;
    let device = assemble::device(loaded)?;
    let data = data_set::open_annotated(loaded, components, true, TornGroups::of_run(folder))?;
    let learner = learner(loaded, components, &data, &device, true)?;
    let say = |line: &str| voice.say(line);
    if let Some(weights) = &weights {
        say(&load_weights(loaded, components, &learner, weights)?);
    }
    let mut lock = None;
    let hashes = FileHashes::of_user();
    let bar = if voice.quiet { ProgressBar::hidden() } else { images_bar(0) };
    let fingerprint = fingerprint::of_annotated(&data, &hashes, &bar)?;
    // A run that began has been looked at. After all that cannot be read was told at once.
    let odd = if resume { Vec::new() } else { count_labels(loaded, &data)?.1 };
    if !resume {
        rehearse(loaded, components, &data, &learner, &device)?;
    }
    if resume {
        Identity::check_resumed(folder, experiment, &fingerprint, weights.as_ref(), &hashes)?.write(folder, voice)?;
    } else {
        let images = trained_images(&data)?;
        let identity = Identity::new(experiment, &fingerprint, &weights_hash(weights.as_ref(), &hashes)?)?;
        folder.create()?;
        lock = Some(folder.lock()?);
        folder.write_json(identity::FILE, &identity)?;
        folder.write_json("environment.json", &Environment::here(&device))?;
        folder.write_json("images.json", &images)?;
        // The experiment last: where it is, the run can be resumed and lacks nothing.
        folder.write("experiment.toml", experiment.resolved_toml()?)?;
    }
    folder.remove_temporary()?;
    data.notes.iter().chain(&odd).for_each(|note| say(&format!("note: {note}")));
    say(&format!(
        "{}: {} classes of pixels, {} training, {} validation and {} test images; {} on {}; into {}",
        experiment.data.dataset,
        learner.classes.len(),
        data.splits.train.len(),
        data.splits.validation.len(),
        data.splits.test.len(),
        experiment.model.backbone,
        assemble::device_name(&device),
        folder.path().display()
    ));
    let select = match experiment.eval.select_on {
        SelectOn::Test => Some(("test", evaluation(loaded, &data, &data.splits.test)?)),
        _ if data.splits.validation.is_empty() => None,
        _ => Some(("validation", evaluation(loaded, &data, &data.splits.validation)?)),
    };
    let train = loaders::of_source(loaded, source_of(&data), data.splits.train.clone(), true)?;
    let training = Training {
        experiment,
        learner: &learner,
        train,
        select,
        masks: Arc::clone(&data.masks),
        folder: folder.clone(),
        interrupt: interrupt.clone(),
        report: voice.report(experiment),
        voice,
        identity: experiment_hash(experiment)?,
    };
    let progress = training.run(resume)?;
    finish(loaded, &learner, &data, folder, &progress, voice, interrupt)?;
    drop(lock);
    Ok(())
}

/// Evaluates a run, or an experiment's weights, on a split; gives its line of JSON.
///
/// # Errors
/// Wrong data or weights; no images in the split.
pub fn evaluate_split(
    loaded: &mut Loaded,
    components: &Components,
    weights: Option<&Path>,
    split: &str,
    out: Option<&Path>,
    interrupt: &Interrupt,
) -> anyhow::Result<serde_json::Value> {
    let weights = match weights {
        Some(path) => {
            let found = weights_source::of_file(path)?;
            assemble::normalise_as(loaded, &found);
            found
        }
        None => assemble::settle_weights(loaded, components)?
            .context("no weights to evaluate: name a file with --weights, or a run folder")?,
    };
    let loaded = &*loaded;
    let device = assemble::device(loaded)?;
    let data = data_set::open_annotated(loaded, components, false, TornGroups::Noted)?;
    let learner = learner(loaded, components, &data, &device, false)?;
    say!("{}", load_weights(loaded, components, &learner, &weights)?);
    let indices = match split {
        "train" => &data.splits.train,
        "validation" => &data.splits.validation,
        _ => &data.splits.test,
    };
    anyhow::ensure!(!indices.is_empty(), "the data set has no annotated {split} images");
    let result = evaluate(&learner, &evaluation(loaded, &data, indices)?, interrupt, &mut |_| ())?;
    let line = result.line(split, None);
    if let Some(out) = out {
        let folder = RunFolder::at(out);
        result.write(&folder)?;
        folder.write_json("evaluation.json", &line)?;
    }
    Ok(line)
}

/// What `mga check` says of an experiment with task = "segmentation".
///
/// # Errors
/// Wrong data or weights.
pub fn check(loaded: &mut Loaded, components: &Components) -> anyhow::Result<String> {
    let own = loaded.experiment.data.mean.is_some();
    let found = assemble::settle_weights(loaded, components)?;
    let loaded = &*loaded;
    let device = assemble::device(loaded)?;
    let data = data_set::open_annotated(loaded, components, true, TornGroups::Refused)?;
    let (counts, notes) = count_labels(loaded, &data)?;
    let learner = learner(loaded, components, &data, &device, true)?;
    let weights = found.as_ref().map(|found| load_weights(loaded, components, &learner, found)).transpose()?;
    let mut text: String = data.notes.iter().chain(&notes).map(|note| format!("note: {note}\n")).collect();
    rehearse(loaded, components, &data, &learner, &device)?;
    let splits = &data.splits;
    text += &format!(
        "device: {}, {} threads\nweights: {}\n{}data: {}; {} training, {} validation and {} test images are annotated\n",
        assemble::device_name(&device),
        rayon::current_num_threads(),
        weights.as_deref().unwrap_or("none, drawn from the seed"),
        preprocessing_line(loaded, own, found.as_ref()),
        loaded.experiment.data.dataset,
        splits.train.len(),
        splits.validation.len(),
        splits.test.len()
    );
    let all = counts.classes.iter().sum::<u64>().max(1);
    for (class, count) in learner.classes.iter().zip(&counts.classes) {
        text += &format!("  {class}: {:.2} % of the annotated training pixels\n", 100.0 * *count as f64 / all as f64);
    }
    text += &format!("  not annotated: {} pixels\n", counts.ignored);
    text += &class_weights_line(&learner.classes, learner.class_weights.as_deref());
    let trained = learner.store.entries().iter().filter(|entry| entry.kind() == Kind::Weight);
    let parameters: usize = trained.map(|entry| entry.tensor().elem_count()).sum();
    text += &format!("model: {}, {parameters} parameters, all trained\n", loaded.experiment.model.backbone);
    Ok(text)
}

/// Counts the annotated pixels of every part: those of the training images, and what is worth a look.
fn count_labels(loaded: &Loaded, data: &AnnotatedData) -> anyhow::Result<(LabelCounts, Vec<String>)> {
    const KEY: &str = "data.annotations";
    let parts =
        [("training", &data.splits.train), ("validation", &data.splits.validation), ("test", &data.splits.test)];
    let (mut training, mut notes) = (LabelCounts::default(), Vec::new());
    let all: Vec<usize> = parts.iter().flat_map(|(_, images)| images.iter().copied()).collect();
    let reading = &loaded.experiment.data.masks.settings.reading;
    notes.extend(usable(loaded, KEY, data.annotated.survey_masks(&all, reading))?);
    for (part, images) in parts.into_iter().filter(|(_, images)| !images.is_empty()) {
        let counts = data.annotated.count(images);
        notes.extend(unreadable(loaded, KEY, &format!("annotated {part} images"), &counts.unreadable)?);
        notes.extend(data.annotated.odd(&counts, part));
        if part == "training" {
            if let Some(message) = data.annotated.no_foreground(&counts) {
                return Err(loaded.error(KEY, message).into());
            }
            training = counts;
        }
    }
    Ok((training, notes))
}

fn learner<'a>(
    loaded: &'a Loaded,
    components: &Components,
    data: &AnnotatedData,
    device: &Device,
    trains: bool,
) -> anyhow::Result<Segmentation<'a>> {
    let experiment = &loaded.experiment;
    let name = experiment.model.backbone.as_str();
    let entry = components.registry.segmenter(name).filter(|entry| entry.trainable);
    let entry = entry
        .ok_or_else(|| loaded.error("model.backbone", format!("no segmentation network `{name}` can be trained")))?;
    let classes = data.annotated.classes().to_vec();
    let mut store = ParameterStore::new(experiment.seed, DType::F32, device);
    let network = (entry.build)(store.root(), classes.len())?;
    let counts = || Ok(data.annotated.count(&data.splits.train).classes);
    let class_weights = if trains { class_weights(loaded, &classes, counts)? } else { None };
    Ok(Segmentation { experiment, store, network, classes, class_weights })
}

/// Refuses what training would come to later.
fn rehearse(
    loaded: &Loaded,
    components: &Components,
    data: &AnnotatedData,
    network: &Segmentation<'_>,
    device: &Device,
) -> anyhow::Result<()> {
    rehearsal::segmenter(loaded, data, network, || learner(loaded, components, data, device, false))
}

/// Puts found weights into the network; says what was loaded, and lists what was not.
fn load_weights(
    loaded: &Loaded,
    components: &Components,
    learner: &Segmentation<'_>,
    weights: &WeightsFile,
) -> anyhow::Result<String> {
    let model = &loaded.experiment.model;
    let report = load_network(&learner.store, &weights.path, &components.registry, &model.backbone, model.strict)
        .map_err(|error| loaded.error("model.weights", error.to_string()))?;
    Ok(format!("{}: {report}", weights.label))
}

/// The images that train and select, by content.
fn trained_images(data: &AnnotatedData) -> anyhow::Result<Vec<TrainedImage>> {
    let all: Vec<usize> = data.splits.train.iter().chain(&data.splits.validation).copied().collect();
    let one = |&index: &usize| -> anyhow::Result<Option<TrainedImage>> {
        let id = data.dataset.records().get(index).map_or_else(String::new, |record| record.id.clone());
        match data.dataset.image(index) {
            Err(_) if data.skips => Ok(None),
            image => Ok(Some(TrainedImage { id, hash: content_hash(&image?) })),
        }
    };
    let images = all.par_iter().map(one).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(images.into_iter().flatten().collect())
}

fn source_of(data: &AnnotatedData) -> Arc<dyn Source> {
    Arc::<Annotated>::clone(&data.annotated)
}

fn evaluation(loaded: &Loaded, data: &AnnotatedData, indices: &[usize]) -> anyhow::Result<Loader> {
    loaders::of_source(loaded, source_of(data), indices.to_vec(), false)
}

/// Evaluates test on the last and on the selected checkpoint, writes everything, and says what came of it.
fn finish(
    loaded: &Loaded,
    learner: &Segmentation<'_>,
    data: &AnnotatedData,
    folder: &RunFolder,
    progress: &Progress,
    voice: Voice,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let experiment = &loaded.experiment;
    let mut skipped = progress.skipped.clone();
    let (split, indices) =
        if data.splits.test.is_empty() { ("validation", &data.splits.validation) } else { ("test", &data.splits.test) };
    let has_best = experiment.eval.select_on != SelectOn::Last && folder.best().is_file();
    let mut result_of = |which: &Path| -> anyhow::Result<Option<Segmented>> {
        checkpoint::load_store(which, learner.store(), None)?;
        if indices.is_empty() {
            return Ok(None);
        }
        let loader = evaluation(loaded, data, indices)?;
        let result = evaluate(learner, &loader, interrupt, &mut |_| ())?;
        skipped.extend(loader.skipped());
        Ok(Some(result))
    };
    let last = result_of(&folder.last())?;
    let selected = if has_best { result_of(&folder.best())? } else { None };
    let reported = selected.as_ref().or(last.as_ref());
    if let Some(result) = reported {
        result.notes(split).iter().for_each(|note| voice.say(&format!("warning: {note}")));
        result.write(folder)?;
        overview(loaded, learner, data, indices, folder)?;
    }
    skipped.sort();
    skipped.dedup();
    folder.write_json(
        "summary.json",
        &serde_json::json!({
            "status": "finished", "task": "segmentation", "split": split, "select_on": experiment.eval.select_on,
            "selected_on_test": experiment.eval.select_on == SelectOn::Test,
            "epochs": progress.epoch, "steps": progress.step, "stopped_early": progress.stopped_early,
            "best_epoch": progress.best_epoch, "best_score": progress.best,
            "selected": selected.as_ref().map(|result| result.line(split, progress.best_epoch)),
            "last": last.as_ref().map(|result| result.line(split, Some(progress.epoch.saturating_sub(1)))),
            "classes": learner.classes, "train_images": data.splits.train.len(),
            "validation_images": data.splits.validation.len(), "test_images": data.splits.test.len(),
            "skipped": skipped, "training_seconds": progress.seconds,
            "test_images_replaced": Identity::was_evaluated_again(folder)?,
        }),
    )?;
    let mut text = String::new();
    if !skipped.is_empty() {
        text += &format!("{} images were skipped (see summary.json)\n", skipped.len());
    }
    if let Some(result) = reported {
        let flatters = if experiment.eval.select_on == SelectOn::Test { "TEST, which flatters" } else { "validation" };
        let chosen = match progress.best_epoch.filter(|_| has_best) {
            Some(epoch) => format!("epoch {} (best on {flatters})", epoch + 1),
            None => "the last epoch".to_owned(),
        };
        text += &format!("\n{split}: {} images, {chosen}\n{}", result.summary.images, result.lines());
    }
    let run = folder.path().display();
    text += &format!("run: {run}\nmasks: mga masks EXPERIMENT --weights {run} --out FOLDER\n");
    voice.result(text, folder)
}

/// Writes `pictures/overview.png`: image, label map and prediction of up to `SHOWN` images, spread over the split.
fn overview(
    loaded: &Loaded,
    learner: &Segmentation<'_>,
    data: &AnnotatedData,
    indices: &[usize],
    folder: &RunFolder,
) -> anyhow::Result<()> {
    let shown = spread(indices, SHOWN);
    let loader = loaders::one_by_one(loaded, source_of(data), shown)?;
    let mut rows = vec![];
    for batch in loader.epoch(0, 0) {
        let batch = batch?;
        let predicted = classes_of(&logits(learner, &batch)?)?;
        let classes = learner.classes.len();
        let (_, _, _, width) = batch.images.dims4()?;
        let labels = super::segmentation::labels(&batch)?;
        let pictures = [image_of(loaded, &batch)?, shades(&labels, width, classes), shades(&predicted, width, classes)];
        rows.push(pictures.into_iter().flatten().collect::<Vec<Picture>>());
    }
    let rows: Vec<Vec<Picture>> = rows.chunks(2).map(<[_]>::concat).collect();
    if let Some(picture) = grid(&rows) {
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
