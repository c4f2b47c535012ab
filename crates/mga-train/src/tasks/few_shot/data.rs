//! The data of few-shot learning: a data set whose classes are split, seen with the base classes first.

use std::sync::Arc;

use mga_data::class_split::ClassParts;
use mga_data::dataset::{Dataset, Origin, Record};
use mga_data::masks::MaskContents;
use mga_data::{Mask, Picture, Result};

use crate::data_set::OpenData;

/// The classes of the training images, which a classifier is pre-trained on: the first ones.
pub(super) fn base_classes(data: &OpenData) -> &[String] {
    let base = data.splits.classes(data.dataset.records()).base.len();
    &data.dataset.classes()[..base]
}

/// A data set with its classes in another order: base classes first, then those of validation, then novel ones. So a
/// classifier of the base classes needs no labels of its own.
pub(super) struct BaseFirst {
    dataset: Arc<dyn Dataset>,
    classes: Vec<String>,
    records: Vec<Record>,
}

impl BaseFirst {
    /// The data set, whose classes are in these parts.
    pub(super) fn new(dataset: Arc<dyn Dataset>, parts: &ClassParts) -> Self {
        let parted = [&parts.base, &parts.validation, &parts.novel].into_iter().flatten().copied();
        let mut order: Vec<usize> = parted.collect();
        // Classes without an image in any part.
        order.extend((0..dataset.classes().len()).filter(|class| !order.contains(class)).collect::<Vec<_>>());
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, &class)| place[class] = at);
        let classes = order.iter().map(|&class| dataset.classes()[class].clone()).collect();
        let seen = |record: &Record| Record { label: record.label.map(|label| place[label]), ..record.clone() };
        let records = dataset.records().iter().map(seen).collect();
        Self { dataset, classes, records }
    }
}

impl Dataset for BaseFirst {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn records(&self) -> &[Record] {
        &self.records
    }

    fn image(&self, index: usize) -> Result<Picture> {
        self.dataset.image(index)
    }

    fn mask_sources(&self) -> &[&'static str] {
        self.dataset.mask_sources()
    }

    fn mask(&self, index: usize, source: &str) -> Result<Option<Mask>> {
        self.dataset.mask(index, source)
    }

    fn has_mask(&self, index: usize, source: &str) -> bool {
        self.dataset.has_mask(index, source)
    }

    fn origin(&self, index: usize) -> Origin {
        self.dataset.origin(index)
    }

    fn mask_origin(&self, index: usize, source: &str) -> Origin {
        self.dataset.mask_origin(index, source)
    }

    fn mask_contents(&self, index: usize, source: &str) -> Result<Option<MaskContents>> {
        self.dataset.mask_contents(index, source)
    }

    fn missing_mask(&self, index: usize, source: &str) -> String {
        self.dataset.missing_mask(index, source)
    }

    fn mask_notes(&self) -> Vec<String> {
        self.dataset.mask_notes()
    }

    fn image_and_mask(&self, index: usize, source: &str) -> Result<(Picture, Option<Mask>)> {
        self.dataset.image_and_mask(index, source)
    }

    fn warnings(&self) -> &[String] {
        self.dataset.warnings()
    }
}
