//! Samplers choose the images of a batch: a function of seed, epoch and position alone.

use mga_core::random::Generator;
use mga_registry::Kind;
use serde_json::Value;

use crate::dataset::Record;
use crate::error::Result;

/// The kind of component that `[sampler] name` names.
#[derive(Debug)]
pub struct Samplers;

impl Kind for Samplers {
    type Item = dyn RegisteredSampler;
    const TITLE: &'static str = "samplers";
    const KEY: &'static str = "sampler.name";
}

/// A sampler that is registered by its name; the schema of its settings, a table without `name`, is that of its entry.
pub trait RegisteredSampler: Send + Sync {
    /// Builds the sampler of the training images `indices` of `records`, from its table.
    ///
    /// # Errors
    /// Settings that do not fit the images.
    fn build(
        &self,
        settings: &Value,
        records: &[Record],
        indices: &[usize],
        seed: u64,
        batch_size: usize,
    ) -> Result<Box<dyn Sampler>>;

    /// Whether the images of a batch are as many as `data.batch_size` says. Otherwise that setting does nothing.
    fn uses_batch_size(&self) -> bool {
        true
    }
}

/// An image of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// The image, as an index into the data set.
    pub index: usize,
    /// The view of the image in this epoch; views differ in their random numbers.
    pub view: u32,
    /// The role in the batch; 0 if there is only one role.
    pub role: u16,
}

impl Draw {
    /// Draws the only view of an image, in the only role.
    #[must_use]
    pub fn of(index: usize) -> Self {
        Self { index, view: 0, role: 0 }
    }
}

/// Says which images make each batch of an epoch.
pub trait Sampler: Send + Sync {
    /// Batches of an epoch.
    fn batches(&self) -> usize;

    /// The images of a batch. The same of equal epoch and position, whenever it is asked.
    fn batch(&self, epoch: u64, position: usize) -> Vec<Draw>;
}

/// Every image once an epoch, in a random order or in their own.
#[derive(Debug)]
pub struct EachOnce {
    indices: Vec<usize>,
    batch_size: usize,
    /// The seed of the order; `None`: that of the indices.
    seed: Option<u64>,
    drop_last: bool,
}

impl EachOnce {
    /// Creates a sampler of `indices` in batches of `batch_size`, shuffled by `seed` if there is one.
    #[must_use]
    pub fn new(indices: Vec<usize>, batch_size: usize, seed: Option<u64>, drop_last: bool) -> Self {
        Self { indices, batch_size: batch_size.max(1), seed, drop_last }
    }

    /// Returns the order in which an epoch visits the images.
    #[must_use]
    pub fn order(&self, epoch: u64) -> Vec<usize> {
        let mut order = self.indices.clone();
        if let Some(seed) = self.seed {
            Generator::new(seed, "order", &[epoch]).shuffle(&mut order);
        }
        order
    }
}

impl Sampler for EachOnce {
    fn batches(&self) -> usize {
        if self.drop_last { self.indices.len() / self.batch_size } else { self.indices.len().div_ceil(self.batch_size) }
    }

    fn batch(&self, epoch: u64, position: usize) -> Vec<Draw> {
        let images = self.order(epoch);
        let images = images.into_iter().skip(position * self.batch_size).take(self.batch_size);
        images.map(Draw::of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_comes_once_an_epoch() {
        let sampler = EachOnce::new((10..17).collect(), 3, Some(4), false);
        let epoch = |epoch| (0..sampler.batches()).flat_map(|at| sampler.batch(epoch, at)).collect::<Vec<_>>();
        let mut first: Vec<usize> = epoch(0).iter().map(|draw| draw.index).collect();
        assert_ne!(epoch(0), epoch(1));
        assert_eq!(epoch(2), epoch(2));
        first.sort_unstable();
        assert_eq!(first, (10..17).collect::<Vec<_>>());
        assert_eq!(EachOnce::new((0..7).collect(), 3, None, true).batches(), 2);
    }
}
