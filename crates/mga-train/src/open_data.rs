//! The open data set of a classifier: its images, which of them train and test, and their masks.

use std::sync::Arc;

use mga_data::dataset::{Dataset, Record};
use mga_data::error::Result;
use mga_data::source::ImagesOnly;
use mga_data::{Mask, MaskSource, Picture, Source, Splits};
use mga_experiment::{ExperimentError, Loaded};

use crate::tasks::label_counts;
use crate::torn_groups::torn_groups;

/// An experiment's data set. Nothing is decoded yet.
pub struct OpenData {
    /// The images and classes.
    pub dataset: Arc<dyn Dataset>,
    /// The images that train, select and test.
    pub splits: Splits,
    /// The masks, or a control. Without mask guidance there are none, unless the experiment names a source; evaluation
    /// then measures the attention against it.
    pub masks: Arc<MaskSource>,
    /// The masks that attention is measured against besides, where the experiment names them.
    pub reference: Option<Arc<MaskSource>>,
    pub(crate) guided: bool,
}

impl OpenData {
    /// Returns the images as training sees them: with masks where the experiment is guided by them, and an error for an
    /// image that lacks one where `data.masks.missing` says so.
    #[must_use]
    pub fn train_source(&self) -> Arc<dyn Source> {
        if self.guided {
            Arc::new(Masked { masks: Arc::clone(&self.masks), reference: None, required: true })
        } else {
            Arc::new(ImagesOnly(Arc::clone(&self.dataset)))
        }
    }

    /// Returns the images as evaluation sees them: with masks, and reference masks, where there are any.
    #[must_use]
    pub fn eval_source(&self) -> Arc<dyn Source> {
        Arc::new(Masked { masks: Arc::clone(&self.masks), reference: self.reference.clone(), required: false })
    }

    /// Returns the number of training images of each class.
    #[must_use]
    pub fn training_counts(&self) -> Vec<u64> {
        let records = self.dataset.records();
        let labels = self.splits.train.iter().map(|&index| records.get(index).and_then(|record| record.label));
        label_counts(labels, self.dataset.classes().len())
    }

    /// Returns the same data with no counts of masks yet, for reading that is not part of the run.
    #[must_use]
    pub fn unseen(&self) -> Self {
        let (dataset, splits) = (Arc::clone(&self.dataset), self.splits.clone());
        let (masks, reference) = (Arc::new(self.masks.unseen()), self.reference.clone());
        Self { dataset, splits, masks, reference, guided: self.guided }
    }

    /// Returns the reason why no run may start on this data: groups are on both sides of the split, and the experiment
    /// does not allow that.
    #[must_use]
    pub fn torn_groups(&self, loaded: &Loaded) -> Option<ExperimentError> {
        torn_groups(loaded, self.dataset.as_ref(), &self.splits)
    }

    /// Returns whether training learns from masks, or the network is shown them.
    #[must_use]
    pub fn train_needs_masks(&self) -> bool {
        self.guided
    }

    /// Returns notes on what was left out or decided while opening, one line each, for people.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = [self.dataset.warnings(), self.splits.notes.as_slice()].concat();
        for (name, images) in [("validation", &self.splits.validation), ("test", &self.splits.test)] {
            let unlabelled = self.unlabelled(images).count();
            if unlabelled > 0 {
                let all = images.len();
                notes.push(format!(
                    "{unlabelled} of {all} {name} images have no label: they are predicted and not scored"
                ));
            }
        }
        notes
    }

    /// Those of `images` that carry no label.
    fn unlabelled<'a>(&'a self, images: &'a [usize]) -> impl Iterator<Item = &'a Record> {
        let records = images.iter().filter_map(|&index| self.dataset.records().get(index));
        records.filter(|record| record.label.is_none())
    }
}

/// Images with masks from one source.
struct Masked {
    masks: Arc<MaskSource>,
    reference: Option<Arc<MaskSource>>,
    required: bool,
}

impl Source for Masked {
    fn load(&self, index: usize) -> Result<(Picture, Option<Mask>)> {
        if self.required { self.masks.load(index) } else { self.masks.load_optional(index) }
    }

    fn reference(&self, index: usize, picture: &Picture) -> Result<Option<Mask>> {
        let Some(reference) = &self.reference else { return Ok(None) };
        reference.mask_of(index, (picture.width(), picture.height()))
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.masks.dataset().records().get(index).and_then(|record| record.label)
    }

    fn id(&self, index: usize) -> &str {
        self.masks.dataset().records().get(index).map_or("", |record| &record.id)
    }
}
