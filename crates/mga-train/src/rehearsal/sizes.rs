//! The sizes of images after their transforms, taken from their headers if that is enough.

use std::collections::BTreeMap;

use mga_data::registry::Datasets;
use mga_data::{Dataset, Pipeline, decode};
use mga_experiment::{Loaded, OnError};
use rayon::prelude::*;

/// No network here looks at sizes but through strides that divide this, and none is too large for one of this.
const STRIDE: usize = 64;
const LARGE: usize = 4 * STRIDE;

/// Where images' sizes, height and width, are known from.
pub(crate) enum Sizes<'a> {
    /// Each is known.
    Known { ids: Vec<String>, sizes: BTreeMap<usize, (usize, usize)> },
    /// From a data set.
    Dataset { dataset: &'a dyn Dataset, one_size: bool, skip: bool },
}

/// Images that go through the same transforms in batches.
pub(super) struct Part<'a> {
    pub(super) indices: &'a [usize],
    pub(super) batch_size: usize,
    /// Whether batches are made in this order.
    pub(super) in_order: bool,
    pub(super) pipeline: &'a Pipeline,
}

/// An image and its size, height and width, after the transforms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) id: String,
    pub(super) size: (usize, usize),
}

impl<'a> Sizes<'a> {
    pub(crate) fn of_dataset(loaded: &Loaded, dataset: &'a dyn Dataset) -> Self {
        let data = &loaded.experiment.data;
        let one_size = loaded.kinds.get::<Datasets>(&data.dataset).is_some_and(|entry| entry.item.has_one_size());
        Self::Dataset { dataset, one_size, skip: data.on_error == OnError::Skip }
    }

    pub(crate) fn known(ids: Vec<String>, sizes: BTreeMap<usize, (usize, usize)>) -> Self {
        Self::Known { ids, sizes }
    }

    /// The images of `part` as they come out; one for all where that is enough. What cannot be read and is skipped in
    /// training is left out.
    ///
    /// # Errors
    /// An image that cannot be read.
    pub(super) fn after(&self, part: &Part<'_>) -> anyhow::Result<Vec<Image>> {
        let Some(&first) = part.indices.first() else { return Ok(vec![]) };
        if let Some(size) = part.pipeline.output_size() {
            return Ok(vec![Image { id: self.id(first), size }]);
        }
        let one = |&index: &usize| -> anyhow::Result<Option<Image>> {
            let size = self.before(index)?;
            Ok(size.map(|(height, width)| Image { id: self.id(index), size: part.pipeline.size_after(height, width) }))
        };
        let enough = if matches!(self, Self::Dataset { one_size: true, .. }) { 1 } else { part.indices.len() };
        let images = part.indices.par_iter().take(enough).map(one);
        Ok(images.collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn id(&self, index: usize) -> String {
        match self {
            Self::Known { ids, .. } => ids.get(index).cloned().unwrap_or_default(),
            Self::Dataset { dataset, .. } => dataset.records().get(index).map_or_else(String::new, |r| r.id.clone()),
        }
    }

    /// Height and width as they come to the transforms.
    fn before(&self, index: usize) -> anyhow::Result<Option<(usize, usize)>> {
        match self {
            Self::Known { sizes, .. } => Ok(sizes.get(&index).copied()),
            Self::Dataset { dataset, skip, .. } => {
                let size = match dataset.records().get(index).and_then(|record| record.path.as_deref()) {
                    Some(path) => decode::size(path).map(|(width, height)| (height, width)),
                    None => dataset.image(index).map(|picture| (picture.height(), picture.width())),
                };
                match size {
                    Err(_) if *skip => Ok(None),
                    size => Ok(Some(size?)),
                }
            }
        }
    }
}

impl Part<'_> {
    /// Two images of different size that would share a batch.
    pub(super) fn unequal<'i>(&self, images: &'i [Image]) -> Option<(&'i Image, &'i Image)> {
        let pair = |images: &'i [Image]| {
            let one = images.first()?;
            Some((one, images.iter().find(|other| other.size != one.size)?))
        };
        match (self.batch_size, self.in_order) {
            (1, _) => None,
            // Some epoch brings them together.
            (_, false) => pair(images),
            (size, true) => images.chunks(size).find_map(pair),
        }
    }

    /// The lowest and the narrowest image; one where that is the same.
    pub(super) fn smallest(images: &[Image]) -> Vec<Image> {
        let lowest = images.iter().min_by_key(|image| image.size);
        let narrowest = images.iter().min_by_key(|image| (image.size.1, image.size.0));
        let mut smallest: Vec<Image> = lowest.into_iter().chain(narrowest).cloned().collect();
        smallest.dedup();
        smallest
    }
}

/// A size that a network takes if it takes this one, and not much larger than need be: looking at a photograph costs time.
pub(super) fn shortened((height, width): (usize, usize)) -> (usize, usize) {
    let side = |side: usize| if side < LARGE + STRIDE { side } else { LARGE + side % STRIDE };
    (side(height), side(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(sizes: &[(usize, usize)]) -> Vec<Image> {
        sizes.iter().enumerate().map(|(i, &size)| Image { id: i.to_string(), size }).collect()
    }

    #[test]
    fn only_images_of_one_batch_have_to_be_of_one_size() {
        let pipeline = Pipeline::default();
        let part = |batch_size, in_order| Part { indices: &[], batch_size, in_order, pipeline: &pipeline };
        let all = images(&[(4, 5), (4, 5), (6, 5), (6, 5)]);
        assert!(part(1, false).unequal(&all).is_none() && part(2, true).unequal(&all).is_none());
        assert_eq!(part(3, true).unequal(&all).map(|(a, b)| (a.id.as_str(), b.id.as_str())), Some(("0", "2")));
        assert!(part(2, false).unequal(&all).is_some());
    }

    #[test]
    fn the_lowest_and_the_narrowest_stand_for_all() {
        let of = |sizes: &[(usize, usize)]| Part::smallest(&images(sizes)).iter().map(|i| i.size).collect::<Vec<_>>();
        assert_eq!(of(&[(9, 9), (3, 8), (8, 2)]), [(3, 8), (8, 2)]);
        assert_eq!(of(&[(9, 9), (2, 2)]), [(2, 2)]);
        assert!(of(&[]).is_empty());
        assert_eq!(shortened((3000, 17)), (LARGE + 3000 % STRIDE, 17));
        assert_eq!(shortened((319, 320)), (319, 256));
    }
}
