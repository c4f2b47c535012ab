//! A sampler: batches like the episodes of few-shot learning, with support and query images of every class in them.

use std::sync::Arc;

use mga_core::random::Generator;
use mga_data::sampler::{Draw, RegisteredSampler, Sampler, Samplers};
use mga_data::{Error, Record, Result};
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The role of images that the classes of an episode are known by; [`QUERY`] is that of those to tell.
pub const SUPPORT: u16 = 0;
/// The role of images to tell.
pub const QUERY: u16 = 1;

/// Views of a query image: augmented twice, with other random numbers.
const VIEWS: usize = 2;

/// Returns the sampler that an experiment selects with `[sampler] name = "two-view-episodes"`.
pub fn entry() -> Entry<Samplers> {
    let about = "episodes: some classes, and of each some support images and some query images in two views";
    Entry::<Samplers>::new("two-view-episodes", about, Arc::new(Episodes))
        .with_settings(schemars::schema_for!(EpisodesSettings))
}

/// The settings, which stand beside `name` in `[sampler]`. How many classes an episode has follows from `data.batch_size`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
struct EpisodesSettings {
    /// Support images of each class.
    #[schemars(range(min = 1))]
    shots: usize,
    /// Query images of each class.
    #[schemars(range(min = 1))]
    queries: usize,
}

impl Default for EpisodesSettings {
    fn default() -> Self {
        Self { shots: 1, queries: 1 }
    }
}

struct Episodes;

impl RegisteredSampler for Episodes {
    fn build(
        &self,
        settings: &Value,
        records: &[Record],
        indices: &[usize],
        seed: u64,
        batch_size: usize,
    ) -> Result<Box<dyn Sampler>> {
        let read = serde_json::from_value::<EpisodesSettings>(settings.clone());
        let EpisodesSettings { shots, queries } = read.map_err(|error| Error::settings(error.to_string()))?;
        let of_class = shots + VIEWS * queries;
        let ways = batch_size / of_class;
        if ways == 0 || !batch_size.is_multiple_of(of_class) {
            return Err(Error::setting(
                "data.batch_size",
                format!(
                    "{batch_size}, but an episode takes {of_class} images of each class; expected a multiple of that"
                ),
            ));
        }
        let mut classes: Vec<Vec<usize>> = Vec::new();
        for &index in indices {
            let Some(label) = records.get(index).and_then(|record| record.label) else { continue };
            classes.resize_with(classes.len().max(label + 1), Vec::new);
            classes[label].push(index);
        }
        // A class that is too small for an episode is in none.
        classes.retain(|images| images.len() >= shots + queries);
        if classes.len() < ways {
            return Err(Error::setting(
                "sampler",
                format!(
                    "an episode takes {ways} classes of {} training images at least, and there are {}; lower \
                     data.batch_size, shots or queries",
                    shots + queries,
                    classes.len()
                ),
            ));
        }
        Ok(Box::new(Planned { shots, queries, ways, seed, classes }))
    }
}

/// Episodes of images that are known. Nothing in it changes: a batch is a function of seed, epoch and position, and a run
/// that was ended in the middle of an epoch goes on with the batch that it would have had.
struct Planned {
    shots: usize,
    queries: usize,
    ways: usize,
    seed: u64,
    classes: Vec<Vec<usize>>,
}

impl Sampler for Planned {
    /// About as many images an epoch as there are.
    fn batches(&self) -> usize {
        let images: usize = self.classes.iter().map(Vec::len).sum();
        images.div_ceil(self.ways * (self.shots + self.queries))
    }

    fn batch(&self, epoch: u64, position: usize) -> Vec<Draw> {
        let mut generator = Generator::new(self.seed, "episodes", &[epoch, position as u64]);
        let mut classes: Vec<&Vec<usize>> = self.classes.iter().collect();
        generator.shuffle(&mut classes);
        let mut draws = Vec::new();
        for class in classes.into_iter().take(self.ways) {
            let mut images = class.clone();
            generator.shuffle(&mut images);
            let (support, rest) = images.split_at(self.shots);
            draws.extend(support.iter().map(|&index| Draw { role: SUPPORT, ..Draw::of(index) }));
            for &index in &rest[..self.queries] {
                draws.extend((0..VIEWS as u32).map(|view| Draw { index, view, role: QUERY }));
            }
        }
        draws
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn build(settings: &Value, batch_size: usize) -> Result<Box<dyn Sampler>> {
        let record = |label| Record { id: String::new(), path: None, label: Some(label), group: None, split: None };
        let records: Vec<Record> = (0..12).map(|index| record(index % 3)).collect();
        Episodes.build(settings, &records, &(0..12).collect::<Vec<_>>(), 1, batch_size)
    }

    #[test]
    fn an_episode_has_support_and_query_images_of_each_class() {
        let sampler = build(&json!({ "name": "two-view-episodes", "shots": 2 }), 8).unwrap();
        let batch = sampler.batch(0, 0);
        let of = |role| batch.iter().filter(|draw| draw.role == role).count();
        assert_eq!((of(SUPPORT), of(QUERY), sampler.batches()), (4, 4, 2));
        assert_eq!(batch, sampler.batch(0, 0));
        assert_ne!(batch, sampler.batch(1, 0));
    }

    #[test]
    fn settings_that_do_not_fit_are_told() {
        assert!(build(&json!({ "shots": 2 }), 9).err().unwrap().to_string().contains("a multiple of that"));
        assert!(build(&json!({ "shots": 4 }), 6).err().unwrap().to_string().contains("1 classes of 5"));
    }
}
