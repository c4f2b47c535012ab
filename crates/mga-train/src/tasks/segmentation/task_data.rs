//! The data of segmentation, as every task's are asked for.

use std::sync::Arc;

use candle_core::Device;
use mga_data::annotations::{Annotated, LabelCounts};
use mga_data::content_hash::content_hash;
use mga_data::dataset::Dataset;
use mga_data::{MaskSource, Source, Splits};
use mga_experiment::{Components, ExperimentError, Loaded};
use rayon::prelude::*;

use super::data::AnnotatedData;
use super::fingerprint::of_annotated;
use super::network::Segmenter;
use crate::file_hashes::FileHashes;
use crate::fingerprint::{Contents, Fingerprint};
use crate::looked::Looked;
use crate::mask_files::{unreadable, usable};
use crate::progress::Listener;
use crate::segmenting::TrainedImage;
use crate::tasks::{Job, TaskData};
use crate::torn_groups::torn_groups;

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
        Ok((of_annotated(self, hashes, voice)?, Contents::default()))
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
