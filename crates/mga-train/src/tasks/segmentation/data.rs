//! The data of segmentation: images with label maps.

use std::sync::Arc;

use mga_data::annotations::Annotated;
use mga_data::dataset::Dataset;
use mga_data::error::Result;
use mga_data::{Mask, MaskSource, Picture, Source, Splits, split};
use mga_experiment::{Components, Loaded, OnError};

use crate::data_set::{open_registered, split_settings};
use crate::mask_sources::supplied;
use crate::tasks::Purpose;
use crate::torn_groups::{TornGroups, torn_groups, torn_note};
use crate::verification::decoding_settings;

/// The data of segmentation: images with label maps.
pub struct AnnotatedData {
    /// The data set's images.
    pub dataset: Arc<dyn Dataset>,
    /// The images that are annotated.
    pub annotated: Arc<Annotated>,
    /// The annotated images that train, select and test.
    pub splits: Splits,
    /// An empty source of masks, because the training loop counts masks.
    pub masks: Arc<MaskSource>,
    /// Notes on what was left out or decided while opening, one line each, for people.
    pub notes: Vec<String>,
    /// Whether what cannot be read is left out (`data.on_error`).
    pub skips: bool,
    /// The settings that decoding depends on, besides the files.
    pub decoding: String,
}

impl AnnotatedData {
    /// Loads image and label map of `index`; `None` if it cannot be read and is left out.
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
    let (dataset, _) = supplied(loaded, components, &dataset, ("data.masks", &data.masks))?;
    let first = || dataset.mask_sources().first().map_or_else(String::new, |source| (*source).to_owned());
    let source = data.masks.settings.source_name().map_or_else(first, str::to_owned);
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
    let masks = Arc::new(MaskSource::none(Arc::clone(&dataset)));
    let (skips, decoding) = (data.on_error == OnError::Skip, decoding_settings(&loaded.experiment, &loaded.kinds));
    Ok(AnnotatedData { dataset, annotated: Arc::new(annotated), splits, masks, notes, skips, decoding })
}
