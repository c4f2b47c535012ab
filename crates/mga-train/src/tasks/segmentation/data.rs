//! The data of segmentation: images with label maps.

use std::sync::Arc;

use candle_core::Device;
use mga_data::annotations::{Annotated, LabelCounts};
use mga_data::content_hash::content_hash;
use mga_data::dataset::Dataset;
use mga_data::error::Result;
use mga_data::{Mask, MaskSettings, MaskSource, Picture, Source, Splits, split};
use mga_experiment::{Components, ExperimentError, Loaded, OnError};
use rayon::prelude::*;

use super::job::Segmenter;
use crate::data_set::{TornGroups, open_registered, own_name, split_settings, supplied, torn_groups, torn_note};
use crate::file_hashes::FileHashes;
use crate::fingerprint::{self, Contents, Fingerprint};
use crate::mask_files::{Looked, unreadable, usable};
use crate::progress::Listener;
use crate::segmenting::TrainedImage;
use crate::tasks::{Job, Purpose, TaskData};
use crate::verification::decoding_settings;

/// What segmentation trains on: images with label maps.
pub struct AnnotatedData {
    /// The data set's images.
    pub dataset: Arc<dyn Dataset>,
    /// Those of them that are annotated.
    pub annotated: Arc<Annotated>,
    /// Which annotated images train, select and test.
    pub splits: Splits,
    /// No masks: what the training loop notes of them is nothing.
    pub masks: Arc<MaskSource>,
    /// What was left out or decided while opening, a line each, for people.
    pub notes: Vec<String>,
    /// Whether what cannot be read is left out (`data.on_error`).
    pub skips: bool,
    /// What decoding depends on beside the files.
    pub decoding: String,
}

impl AnnotatedData {
    /// Image and label map of `index`; `None`: it cannot be read, and is left out.
    ///
    /// # Errors
    /// It cannot be read, and is not left out.
    pub fn load(&self, index: usize) -> Result<Option<(Picture, Option<Mask>)>> {
        match self.annotated.load(index) {
            Err(_) if self.skips => Ok(None),
            loaded => loaded.map(Some),
        }
    }
}

/// Opens the annotated images of an experiment with task = "segmentation".
///
/// # Errors
/// As of classifiers; annotations that are not there. To train: nothing to train on.
pub(super) fn open(loaded: &Loaded, components: &Components, purpose: Purpose) -> anyhow::Result<AnnotatedData> {
    let train = matches!(purpose, Purpose::Train(_));
    let dataset = open_registered(loaded, components)?;
    let data = &loaded.experiment.data;
    let Some(settings) = data.annotations.clone() else {
        return Err(loaded.error("data.annotations", "missing; segmentation learns from annotated images").into());
    };
    let dataset = supplied(loaded, components, &dataset, ("data.masks", &data.masks))?;
    let first = || dataset.mask_sources().first().map_or_else(String::new, |source| (*source).to_owned());
    let source = data.masks.settings.source.clone().map_or_else(first, own_name);
    let wrong = |message: String| loaded.error("data.annotations", message);
    let annotated = Annotated::open(Arc::clone(&dataset), settings, &source);
    let annotated = annotated.map_err(|error| loaded.error_in("data.annotations", error))?;
    // Only annotated images are split: a share of them for validation, not of all there are.
    let chosen: Vec<usize> = (0..dataset.len()).filter(|&index| annotated.has(index)).collect();
    let records: Vec<_> = chosen.iter().filter_map(|&index| dataset.records().get(index).cloned()).collect();
    let within = split::assign(&records, dataset.classes(), &split_settings(data))
        .map_err(|error| loaded.error_in("data", error))?;
    let back = |indices: &[usize]| indices.iter().filter_map(|&at| chosen.get(at).copied()).collect::<Vec<_>>();
    let splits = Splits {
        train: back(&within.train),
        validation: back(&within.validation),
        test: back(&within.test),
        notes: Vec::new(),
    };
    if train && splits.train.is_empty() {
        return Err(wrong("no annotated image is left to train on".to_owned()).into());
    }
    if train {
        loaded.check_validation(splits.validation.len())?;
    }
    let mut notes = [dataset.warnings(), within.notes.as_slice()].concat();
    if let Some(error) =
        torn_groups(loaded, dataset.as_ref(), &splits).filter(|_| purpose == Purpose::Train(TornGroups::Refused))
    {
        return Err(error.into());
    }
    notes.extend(torn_note(dataset.as_ref(), &splits));
    if chosen.len() < dataset.len() {
        notes.push(format!("{} of {} images are annotated; the others are left out", chosen.len(), dataset.len()));
    }
    let none = MaskSettings::of_source("none");
    let masks = Arc::new(MaskSource::new(none, Arc::clone(&dataset))?);
    let (skips, decoding) = (data.on_error == OnError::Skip, decoding_settings(&loaded.experiment));
    Ok(AnnotatedData { dataset, annotated: Arc::new(annotated), splits, masks, notes, skips, decoding })
}

impl TaskData for AnnotatedData {
    fn dataset(&self) -> &Arc<dyn Dataset> {
        &self.dataset
    }

    fn classes(&self) -> &[String] {
        self.annotated.classes()
    }

    fn classes_of(&self) -> &'static str {
        "classes of pixels"
    }

    fn splits(&self) -> &Splits {
        &self.splits
    }

    fn masks(&self) -> &Arc<MaskSource> {
        &self.masks
    }

    fn source(&self, _: bool) -> Arc<dyn Source> {
        Arc::<Annotated>::clone(&self.annotated)
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn torn_groups(&self, loaded: &Loaded) -> Option<ExperimentError> {
        torn_groups(loaded, self.dataset.as_ref(), &self.splits)
    }

    fn look(&self, loaded: &Loaded, _: usize) -> anyhow::Result<Looked> {
        let (counts, notes) = count_labels(loaded, self)?;
        let all = counts.classes.iter().sum::<u64>().max(1);
        let share = |(class, count): (&String, &u64)| {
            format!("  {class}: {:.2} % of the annotated training pixels", 100.0 * *count as f64 / all as f64)
        };
        let mut kinds: Vec<String> = self.annotated.classes().iter().zip(&counts.classes).map(share).collect();
        kinds.push(format!("  not annotated: {} pixels", counts.ignored));
        Ok(Looked { kinds, notes })
    }

    /// Images are decoded unless that is remembered, so that nothing is left to verify.
    fn fingerprint(&self, hashes: &FileHashes, voice: &dyn Listener) -> anyhow::Result<(Fingerprint, Contents)> {
        Ok((fingerprint::of_annotated(self, hashes, voice)?, Contents::default()))
    }

    fn files(&self) -> anyhow::Result<Vec<(&'static str, serde_json::Value)>> {
        Ok(vec![("images.json", serde_json::to_value(trained_images(self)?)?)])
    }

    fn build<'a>(
        &'a self,
        loaded: &'a Loaded,
        components: &'a Components,
        device: &Device,
        trains: bool,
    ) -> anyhow::Result<Box<dyn Job + 'a>> {
        Ok(Box::new(Segmenter::new(loaded, components, self, device, trains)?))
    }
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
