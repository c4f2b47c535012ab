//! Evaluating a model by episodes: the features of every image are computed once, then episode after episode is told.

use std::collections::HashSet;
use std::time::Instant;

use mga_core::tape::Tape;
use mga_data::Loader;
use mga_data::dataset::Split;
use mga_data::sampler::{Draw, Sampler};
use mga_data::samplers::episodes::{EpisodeRole, Episodes};
use mga_experiment::Loaded;
use mga_models::MgaModel;
use rayon::prelude::*;

use super::cache::Cache;
use super::encoder::encode;
use super::episode_scores::{EpisodeScore, hash};
use super::episodes::of_part;
use super::head::{Episode, Teller};
use super::outcome::ByEpisode;
use crate::data_set::OpenData;
use crate::interrupt::Interrupt;
use crate::runners::evaluation::EvaluationContext;
use crate::runners::learner::Outcome;

/// Episodes between two looks at whether to go on.
const AT_ONCE: usize = 64;

/// Evaluates the images of a loader by the episodes of the part that they are of. Images that no episode draws are not
/// loaded.
pub(super) fn evaluate(
    (loaded, data): (&Loaded, &OpenData),
    (model, teller): (&MgaModel, &Teller),
    loader: &Loader,
    context: &mut EvaluationContext<'_>,
) -> anyhow::Result<Box<dyn Outcome>> {
    let episodes = of_part(loaded, data, part_of(loader, data))?;
    let all: Vec<usize> = (0..episodes.batches()).collect();
    let cache = features(model, &drawn(loader, &episodes, &all), context)?;
    let mut scores = Vec::with_capacity(all.len());
    for some in all.chunks(AT_ONCE) {
        context.go_on()?;
        scores.extend(tell((loaded, data), (&cache, teller), &episodes, some)?);
    }
    let (settings, classes) = (episodes.settings(), data.dataset.classes().to_vec());
    Ok(Box::new(ByEpisode { scores, settings, classes, images: cache.len() }))
}

/// The seconds that [`evaluate`] takes, from episodes of about `most` images.
pub(super) fn time(
    (loaded, data): (&Loaded, &OpenData),
    (model, teller): (&MgaModel, &Teller),
    loader: &Loader,
    most: usize,
) -> anyhow::Result<f64> {
    let episodes = of_part(loaded, data, part_of(loader, data))?;
    let all: Vec<usize> = (0..episodes.batches()).collect();
    let some = &all[..(most / episodes.settings().images()).clamp(1, all.len())];
    let started = Instant::now();
    let cache = features(
        model,
        &drawn(loader, &episodes, some),
        &mut EvaluationContext::new(&Interrupt::default(), &mut |_| ()),
    )?;
    let image = started.elapsed().as_secs_f64() / cache.len().max(1) as f64;
    let started = Instant::now();
    tell((loaded, data), (&cache, teller), &episodes, some)?;
    let episode = started.elapsed().as_secs_f64() / some.len() as f64;
    Ok(image * drawn(loader, &episodes, &all).indices().len() as f64 + episode * all.len() as f64)
}

/// The part of the data that the images of a loader are of.
fn part_of(loader: &Loader, data: &OpenData) -> Split {
    let first = loader.indices().first();
    if first.is_some_and(|index| data.splits.validation.contains(index)) { Split::Validation } else { Split::Test }
}

/// The loader of those of its images that some episodes draw.
fn drawn(loader: &Loader, episodes: &Episodes, numbers: &[usize]) -> Loader {
    let drawn: HashSet<usize> =
        numbers.iter().flat_map(|&number| episodes.batch(0, number)).map(|draw| draw.index).collect();
    loader.of(loader.indices().iter().copied().filter(|index| drawn.contains(index)).collect())
}

/// The features of every image of a loader.
fn features(model: &MgaModel, loader: &Loader, context: &mut EvaluationContext<'_>) -> anyhow::Result<Cache> {
    let mut cache = Cache::default();
    for batch in loader.epoch(0, 0) {
        context.go_on()?;
        let batch = batch?;
        cache.add(&batch.indices, &encode(model, &mut Tape::eval(), &batch)?)?;
        context.seen(batch.len());
    }
    Ok(cache)
}

/// What comes of some episodes, told side by side.
fn tell(
    of: (&Loaded, &OpenData),
    by: (&Cache, &Teller),
    episodes: &Episodes,
    numbers: &[usize],
) -> anyhow::Result<Vec<EpisodeScore>> {
    numbers.par_iter().map(|&number| told(of, by, episodes, number)).collect()
}

/// What comes of one episode.
fn told(
    (loaded, data): (&Loaded, &OpenData),
    (cache, teller): (&Cache, &Teller),
    episodes: &Episodes,
    number: usize,
) -> anyhow::Result<EpisodeScore> {
    let (records, way) = (data.dataset.records(), episodes.settings().way);
    let draws = episodes.batch(0, number);
    let label = |draw: &Draw| records.get(draw.index).and_then(|record| record.label).unwrap_or_default();
    let classes: Vec<usize> = draws.iter().take(way).map(label).collect();
    let mut tape = Tape::eval();
    let episode = episode_of(&mut tape, (loaded, teller), cache, episodes, number)?;
    let scores = teller.head.scores(&mut tape, &episode)?;
    EpisodeScore::of(hash(&draws, records), scores.tensor(), &classes)
}

/// The episode of that number, from the features of its images.
pub(super) fn episode_of<'a>(
    tape: &mut Tape,
    (loaded, teller): (&Loaded, &'a Teller),
    cache: &Cache,
    episodes: &Episodes,
    number: usize,
) -> anyhow::Result<Episode<'a>> {
    let (way, shot) = (episodes.settings().way, episodes.settings().shot);
    let draws = episodes.batch(0, number);
    let (query, support): (Vec<Draw>, Vec<Draw>) = draws.iter().partition(|draw| EpisodeRole::of(draw.role).is_query);
    let features = |draws: &[Draw]| -> anyhow::Result<_> {
        let (maps, attention) = cache.gather(&draws.iter().map(|draw| draw.index).collect::<Vec<_>>())?;
        let attention = attention.map(|attention| tape.constant(&attention)).transpose()?;
        Ok((tape.constant(&maps)?, attention))
    };
    let ((support, support_attention), (query, query_attention)) = (features(&support)?, features(&query)?);
    let transport = teller.transport.as_ref();
    let seed = loaded.experiment.seed ^ ((number as u64) << 32);
    Ok(Episode { way, shot, support, query, support_attention, query_attention, transport, trains: false, seed })
}
