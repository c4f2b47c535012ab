//! Episodes of few-shot learning (Vinyals et al. 2016): some classes, of each some support images that it is known by and
//! some query images that are to be told.

use std::collections::BTreeMap;
use std::sync::Arc;

use mga_core::random::Generator;
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dataset::Record;
use crate::error::{Error, Result};
use crate::sampler::{Draw, RegisteredSampler, Sampler, Samplers};
use crate::summed_up::some_of;

/// Returns the sampler that an experiment selects with `[sampler] name = "episodes"`.
#[must_use]
pub fn entry() -> Entry<Samplers> {
    let about = "episodes: `way` classes a batch, of each `shot` support images and `query` query images";
    Entry::<Samplers>::new("episodes", about, Arc::new(Registered))
        .with_settings(schemars::schema_for!(EpisodeSettings))
}

/// Settings of episodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EpisodeSettings {
    /// Classes of an episode.
    #[schemars(range(min = 2, max = 32767))]
    pub way: usize,
    /// Support images of each class.
    #[schemars(range(min = 1))]
    pub shot: usize,
    /// Query images of each class.
    #[schemars(range(min = 1))]
    pub query: usize,
    /// Episodes of an epoch.
    #[schemars(range(min = 1))]
    pub tasks: usize,
}

impl Default for EpisodeSettings {
    fn default() -> Self {
        Self { way: 5, shot: 1, query: 15, tasks: 50 }
    }
}

impl EpisodeSettings {
    /// Returns the number of images of an episode.
    #[must_use]
    pub fn images(&self) -> usize {
        self.way.saturating_mul(self.shot.saturating_add(self.query))
    }
}

/// What an image is in its episode; [`Draw::role`] holds it as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpisodeRole {
    /// The class within the episode, from 0 to `way - 1`.
    pub way: u16,
    /// Whether it is to be told; otherwise its class is known by it.
    pub is_query: bool,
}

impl EpisodeRole {
    /// Returns the role that the number of a draw or a batch stands for.
    #[must_use]
    pub fn of(role: u16) -> Self {
        Self { way: role / 2, is_query: role % 2 == 1 }
    }

    /// Returns the number of the role: twice the class, and one more for a query image.
    #[must_use]
    pub fn number(self) -> u16 {
        2 * self.way + u16::from(self.is_query)
    }
}

struct Registered;

impl RegisteredSampler for Registered {
    fn build(
        &self,
        settings: &Value,
        records: &[Record],
        indices: &[usize],
        seed: u64,
        _batch_size: usize,
    ) -> Result<Box<dyn Sampler>> {
        let mut settings = settings.clone();
        if let Some(table) = settings.as_object_mut() {
            table.remove("name");
        }
        let read = serde_json::from_value::<EpisodeSettings>(settings);
        let settings = read.map_err(|error| Error::setting("sampler", error.to_string()))?;
        let name = |label: usize| of_class(records, indices, label);
        Ok(Box::new(Episodes::new(settings, records, indices, seed, "sampler", &name)?))
    }

    fn uses_batch_size(&self) -> bool {
        false
    }
}

/// A class by an image of it, where its name is not at hand.
fn of_class(records: &[Record], indices: &[usize], label: usize) -> String {
    let image = indices.iter().filter_map(|&index| records.get(index)).find(|record| record.label == Some(label));
    format!("class {label} (of `{}`)", image.map_or("", |record| &record.id))
}

/// Episodes of known images. An episode is a function of seed, epoch and position alone, so every arm of a sweep and any
/// number of threads see the same.
///
/// The images of an episode come in the order of the usual samplers: first the support images, one of each class in turn,
/// then the query images likewise. So with `way` classes the image at place `i` is of class `i % way`.
///
/// ```
/// use mga_data::Record;
/// use mga_data::sampler::Sampler;
/// use mga_data::samplers::episodes::{EpisodeRole, EpisodeSettings, Episodes};
///
/// let record = |i: usize| Record { id: format!("{i}"), path: None, label: Some(i / 10), group: None, split: None };
/// let records: Vec<Record> = (0..60).map(record).collect();
/// let settings = EpisodeSettings { way: 5, shot: 1, query: 3, tasks: 100 };
/// let all: Vec<usize> = (0..60).collect();
/// let episodes = Episodes::new(settings, &records, &all, 0, "episodes", &|label| format!("class {label}"))?;
/// let episode = episodes.batch(0, 7);
/// assert_eq!(episode.len(), 20);
/// assert_eq!(EpisodeRole::of(episode[6].role), EpisodeRole { way: 1, is_query: true });
/// # Ok::<(), mga_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Episodes {
    settings: EpisodeSettings,
    seed: u64,
    /// The images of each class that has any, in the order of the labels.
    classes: Vec<Vec<usize>>,
}

impl Episodes {
    /// Creates episodes of the images `indices` of `records`; those without a label are in none. `key` is the table of the
    /// settings, and `name` gives the name of a class, for errors.
    ///
    /// # Errors
    /// Settings of 0, fewer classes than the way, and classes with too few images, every one of them by name; all at once.
    pub fn new(
        settings: EpisodeSettings,
        records: &[Record],
        indices: &[usize],
        seed: u64,
        key: &str,
        name: &dyn Fn(usize) -> String,
    ) -> Result<Self> {
        let EpisodeSettings { way, shot, query, tasks } = settings;
        let mut of_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &index in indices {
            if let Some(label) = records.get(index).and_then(|record| record.label) {
                of_class.entry(label).or_default().push(index);
            }
        }
        let mut wrong = Vec::new();
        for (what, value, least) in [("way", way, 2), ("shot", shot, 1), ("query", query, 1), ("tasks", tasks, 1)] {
            if value < least {
                wrong.push(format!("{what} is {value}, expected at least {least}"));
            }
        }
        if way > usize::from(u16::MAX / 2) {
            wrong.push(format!("way is {way}, expected at most {}", u16::MAX / 2));
        }
        if of_class.len() < way {
            let there = of_class.len();
            wrong.push(format!(
                "an episode takes {way} classes, and there are {there}: lower way, or give more classes"
            ));
        }
        let needed = shot.saturating_add(query);
        let small = |(_, images): &(&usize, &Vec<usize>)| images.len() < needed;
        let small: Vec<String> = of_class
            .iter()
            .filter(small)
            .map(|(&label, images)| format!("{} ({})", name(label), images.len()))
            .collect();
        if !small.is_empty() {
            wrong.push(format!(
                "an episode takes {needed} images of a class (shot + query), and these have fewer: {}; lower shot or query, \
                 or leave those classes out",
                all_of(&small)
            ));
        }
        if wrong.is_empty() {
            return Ok(Self { settings, seed, classes: of_class.into_values().collect() });
        }
        Err(Error::setting(key, wrong.join("; ")))
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> EpisodeSettings {
        self.settings
    }
}

/// All of them where that fits a screen: a person has to act on each.
fn all_of(names: &[String]) -> String {
    const SHOWN: usize = 100;
    if names.len() <= SHOWN { names.join(", ") } else { some_of(names) }
}

impl Sampler for Episodes {
    fn batches(&self) -> usize {
        self.settings.tasks
    }

    fn batch(&self, epoch: u64, position: usize) -> Vec<Draw> {
        let EpisodeSettings { way, shot, query, .. } = self.settings;
        let mut generator = Generator::new(self.seed, "episodes", &[epoch, position as u64]);
        let chosen = drawn(&mut generator, self.classes.len(), way);
        let classes = chosen.into_iter().filter_map(|class| self.classes.get(class));
        let images: Vec<Vec<usize>> = classes
            .map(|images| {
                let places = drawn(&mut generator, images.len(), shot + query);
                places.into_iter().filter_map(|place| images.get(place).copied()).collect()
            })
            .collect();
        let mut draws = Vec::with_capacity(self.settings.images());
        for place in 0..shot + query {
            for (way, images) in (0..).zip(&images) {
                let role = EpisodeRole { way, is_query: place >= shot };
                draws.extend(images.get(place).map(|&index| Draw { index, view: 0, role: role.number() }));
            }
        }
        draws
    }
}

/// So many different numbers below `of`, in a random order: the beginning of a shuffle of all of them.
fn drawn(generator: &mut Generator, of: usize, count: usize) -> Vec<usize> {
    // What stands at a place once places before it were swapped; most stand where they were.
    let mut moved: BTreeMap<usize, usize> = BTreeMap::new();
    let mut taken = Vec::with_capacity(count);
    for place in 0..count.min(of) {
        let other = place + generator.below(of - place);
        let at = |place: usize, moved: &BTreeMap<usize, usize>| moved.get(&place).copied().unwrap_or(place);
        taken.push(at(other, &moved));
        let first = at(place, &moved);
        moved.insert(other, first);
    }
    taken
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::datasets::leaves::{Leaves, LeavesSettings};
    use crate::source::ImagesOnly;
    use crate::{Batch, Dataset, Loader, LoaderSettings, Pipeline};

    /// `counts[label]` images of each class, one after the other.
    fn records(counts: &[usize]) -> Vec<Record> {
        let labels = counts.iter().enumerate().flat_map(|(label, &count)| std::iter::repeat_n(label, count));
        let record =
            |(i, label)| Record { id: format!("{i}.png"), path: None, label: Some(label), group: None, split: None };
        labels.enumerate().map(record).collect()
    }

    fn build(settings: Value, counts: &[usize], seed: u64) -> Result<Box<dyn Sampler>> {
        let records = records(counts);
        let indices: Vec<usize> = (0..records.len()).collect();
        Registered.build(&settings, &records, &indices, seed, 8)
    }

    #[test]
    fn an_episode_has_different_images_of_different_classes_in_the_usual_order() {
        let records = records(&[9; 12]);
        let sampler =
            build(json!({ "name": "episodes", "way": 4, "shot": 2, "query": 3, "tasks": 6 }), &[9; 12], 1).unwrap();
        assert_eq!(sampler.batches(), 6);
        let mut seen = BTreeSet::new();
        for position in 0..6 {
            let episode = sampler.batch(3, position);
            assert_eq!(episode.iter().map(|draw| draw.index).collect::<BTreeSet<_>>().len(), 20);
            let classes: Vec<_> = episode[..4].iter().map(|draw| records[draw.index].label).collect();
            assert_eq!(classes.iter().collect::<BTreeSet<_>>().len(), 4);
            for (place, draw) in episode.iter().enumerate() {
                let role = EpisodeRole { way: (place % 4) as u16, is_query: place >= 8 };
                assert_eq!((EpisodeRole::of(draw.role), draw.view), (role, 0));
                assert_eq!(records[draw.index].label, classes[place % 4]);
            }
            seen.insert(episode.iter().map(|draw| draw.index).collect::<Vec<_>>());
        }
        assert_eq!(seen.len(), 6, "episodes differ");
    }

    #[test]
    fn seed_epoch_and_position_alone_decide() {
        let settings = || json!({ "way": 3, "shot": 1, "query": 2, "tasks": 4 });
        let (first, second, other) = (
            build(settings(), &[5; 6], 1).unwrap(),
            build(settings(), &[5; 6], 1).unwrap(),
            build(settings(), &[5; 6], 2).unwrap(),
        );
        // Asked in another order, from another thread.
        let backwards: Vec<_> = std::thread::scope(|scope| {
            let asked = scope.spawn(|| (0..4).rev().map(|position| second.batch(5, position)).collect::<Vec<_>>());
            asked.join().unwrap()
        });
        let forwards: Vec<_> = (0..4).map(|position| first.batch(5, position)).collect();
        assert_eq!(forwards, backwards.into_iter().rev().collect::<Vec<_>>());
        assert_ne!(first.batch(5, 0), first.batch(6, 0));
        assert_ne!(first.batch(5, 0), other.batch(5, 0));
        // More tasks add episodes and change none.
        let more = build(json!({ "way": 3, "shot": 1, "query": 2, "tasks": 40 }), &[5; 6], 1).unwrap();
        assert_eq!(first.batch(5, 3), more.batch(5, 3));
    }

    #[test]
    fn two_arms_see_the_same_episodes_with_any_number_of_threads() {
        let settings = LeavesSettings { size: 16, train_per_class: 4, test_per_class: 0, ..LeavesSettings::default() };
        let leaves: Arc<dyn Dataset> = Arc::new(Leaves::new(settings).unwrap());
        let episodes = |threads: usize, batch_size: usize| {
            let indices: Vec<usize> = (0..leaves.len()).collect();
            let table = json!({ "name": "episodes", "way": 3, "shot": 1, "query": 2, "tasks": 4 });
            let sampler = Registered.build(&table, leaves.records(), &indices, 7, batch_size).unwrap();
            let flip = [json!({ "op": "horizontal-flip" })];
            let pipeline = Pipeline::read(&flip, &crate::registry::builtin()).unwrap();
            let settings = LoaderSettings { seed: 7, threads, batch_size, ..LoaderSettings::default() };
            let loader = Loader::new(Arc::new(ImagesOnly(Arc::clone(&leaves))), indices, pipeline, settings).unwrap();
            let loader = loader.with_sampler(Arc::from(sampler));
            let batches = loader.epoch(2, 0).map(Result::unwrap);
            let numbers = |batch: &Batch| batch.images.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            batches.map(|batch| (numbers(&batch), batch.indices, batch.roles, batch.labels)).collect::<Vec<_>>()
        };
        let first = episodes(1, 8);
        assert_eq!((first.len(), first[0].1.len()), (4, 9));
        assert_eq!(first[0].2, [0, 2, 4, 1, 3, 5, 1, 3, 5]);
        for (threads, batch_size) in [(2, 8), (5, 3)] {
            assert_eq!(episodes(threads, batch_size), first);
        }
    }

    #[test]
    fn every_image_is_drawn_about_as_often() {
        let sampler = build(json!({ "way": 2, "shot": 1, "query": 1, "tasks": 3000 }), &[4; 3], 1).unwrap();
        let mut counts = [0; 12];
        (0..3000).flat_map(|position| sampler.batch(0, position)).for_each(|draw| counts[draw.index] += 1);
        assert!(counts.iter().all(|&count| (900..1100).contains(&count)), "{counts:?}");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let refused = |settings, counts: &[usize]| {
            let error = build(settings, counts, 0).err().unwrap();
            assert_eq!(error.invalid_setting().unwrap().key, "sampler");
            error.to_string()
        };
        let message = refused(json!({ "way": 5, "shot": 3, "query": 2, "tasks": 1 }), &[9, 4, 5, 2]);
        for part in ["takes 5 classes, and there are 4", "takes 5 images of a class", "`9.png`) (4)", "`18.png`) (2)"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(!message.contains("`13.png`"), "{message}");
        let message = refused(json!({ "way": 1, "shot": 0, "query": 0, "tasks": 0 }), &[9, 9]);
        for part in ["way is 1, expected at least 2", "shot is 0", "query is 0", "tasks is 0"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(refused(json!({ "ways": 5 }), &[9; 5]).contains("ways"));
    }
}
