//! The parallel loader: images are decoded and transformed on a thread pool of its own, a few batches ahead.
//!
//! What comes out is a function of (seed, epoch, index) alone. The order of an epoch is drawn from
//! `(seed, "order", epoch)`, the augmentation of an image from `(seed, "augment", epoch, index)`; which thread loads it,
//! and when, plays no part, and a run resumed in mid-epoch sees exactly what it would have seen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mga_core::random::Generator;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Normalisation, Sample};
use crate::error::{Error, Result};
use crate::picture::Picture;
use crate::sampler::{Draw, EachOnce, Sampler};
use crate::share::Share;
use crate::source::{Source, caught, name_of};
use crate::transforms::{Pipeline, Scene};

/// The reaction to an image, mask or label that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// End the run with an error that names the file.
    #[default]
    Stop,
    /// Leave it out, count it and say so.
    Skip,
}

/// Settings of a [`Loader`].
#[derive(Debug, Clone, PartialEq)]
pub struct LoaderSettings {
    /// Images a batch, at least 1.
    pub batch_size: usize,
    /// Draws a new order every epoch; otherwise the order of the indices.
    pub shuffle: bool,
    /// Leaves out the last batch of an epoch where it is not full.
    pub drop_last: bool,
    /// Seed of order and augmentation.
    pub seed: u64,
    /// Subtracted from the pixels; red, green, blue, in `0..=1`. Also the colour of padding.
    pub mean: [f32; 3],
    /// Divides the pixels.
    pub std: [f32; 3],
    /// Threads; 0: one for every core.
    pub threads: usize,
    /// Batches loaded ahead. At least one, and at least enough to give every thread an image.
    pub prefetch: usize,
    /// The reaction to an image that cannot be loaded; [`Loader::skipped`] lists those that were left out.
    pub on_error: OnError,
}

impl Default for LoaderSettings {
    fn default() -> Self {
        Self {
            batch_size: 8,
            shuffle: false,
            drop_last: false,
            seed: 0,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            threads: 0,
            prefetch: 2,
            on_error: OnError::Stop,
        }
    }
}

/// Loads batches of some images of a source, epoch by epoch.
///
/// ```
/// use std::sync::Arc;
///
/// use mga_data::datasets::leaves::{Leaves, LeavesSettings};
/// use mga_data::source::ImagesOnly;
/// use mga_data::{Dataset, Loader, LoaderSettings, Pipeline};
///
/// let leaves = Leaves::new(LeavesSettings { size: 16, train_per_class: 1, test_per_class: 0, ..LeavesSettings::default() })?;
/// let images = (0..leaves.len()).collect();
/// let settings = LoaderSettings { batch_size: 4, shuffle: true, seed: 1, ..LoaderSettings::default() };
/// let loader = Loader::new(Arc::new(ImagesOnly(Arc::new(leaves))), images, Pipeline::default(), settings)?;
///
/// for batch in loader.epoch(0, 0) {
///     let batch = batch?;
///     assert!(batch.len() <= 4);
/// }
/// # Ok::<(), mga_data::Error>(())
/// ```
pub struct Loader {
    work: Arc<Work>,
    pool: Arc<rayon::ThreadPool>,
    indices: Vec<usize>,
    /// The batches where no sampler chooses them.
    each: EachOnce,
    sampler: Option<Arc<dyn Sampler>>,
    share: Share,
}

/// All that a loading thread needs. It does not hold the pool, so that no thread keeps its own pool alive.
struct Work {
    source: Arc<dyn Source>,
    pipeline: Pipeline,
    settings: LoaderSettings,
    normalisation: Normalisation,
    skipped: Mutex<BTreeMap<usize, String>>,
}

impl Loader {
    /// Creates a loader of `indices` of `source`. An error where a setting cannot be used.
    pub fn new(
        source: Arc<dyn Source>,
        indices: Vec<usize>,
        pipeline: Pipeline,
        settings: LoaderSettings,
    ) -> Result<Self> {
        if settings.batch_size == 0 {
            return Err(Error::settings("`batch_size` is 0, expected at least 1"));
        }
        for c in 0..3 {
            let (mean, std) = (settings.mean[c], settings.std[c]);
            if !mean.is_finite() || !std.is_finite() || std <= 0.0 {
                return Err(Error::settings(format!("`mean` {mean} or `std` {std} cannot be used: expected std > 0")));
            }
        }
        if settings.drop_last && !indices.is_empty() && indices.len() < settings.batch_size {
            return Err(Error::settings(format!(
                "no batch is left: {} images, `batch_size` {} and `drop_last = true`; lower batch_size or keep the last",
                indices.len(),
                settings.batch_size
            )));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(settings.threads)
            .thread_name(|i| format!("mga-load-{i}"))
            .build()
            .map_err(|e| Error::settings(format!("cannot start {} loading threads: {e}", settings.threads)))?;
        let normalisation = Normalisation::new(settings.mean, settings.std);
        let work = Work { source, pipeline, settings, normalisation, skipped: Mutex::default() };
        let LoaderSettings { batch_size, drop_last, .. } = work.settings;
        let seed = work.settings.shuffle.then_some(work.settings.seed);
        let each = EachOnce::new(indices.clone(), batch_size, seed, drop_last);
        Ok(Self { work: Arc::new(work), pool: Arc::new(pool), indices, each, sampler: None, share: Share::ALL })
    }

    /// Returns the loader with `sampler` choosing the images of each batch, in place of each image once an epoch.
    #[must_use]
    pub fn with_sampler(self, sampler: Arc<dyn Sampler>) -> Self {
        Self { sampler: Some(sampler), ..self }
    }

    /// Returns the loader that loads only this rank's part of every batch. Plans, counts and random draws stay those of
    /// the whole: each image comes to one rank, and looks as it would to a single one.
    #[must_use]
    pub fn with_share(self, share: Share) -> Self {
        Self { share, ..self }
    }

    /// Returns a loader of other images of the same source, which loads and skips as this one does; a sampler stays behind.
    #[must_use]
    pub fn of(&self, indices: Vec<usize>) -> Self {
        let LoaderSettings { batch_size, drop_last, .. } = self.work.settings;
        let seed = self.work.settings.shuffle.then_some(self.work.settings.seed);
        let each = EachOnce::new(indices.clone(), batch_size, seed, drop_last);
        let (work, pool) = (Arc::clone(&self.work), Arc::clone(&self.pool));
        Self { work, pool, indices, each, sampler: None, share: self.share }
    }

    /// Batches of an epoch, where no whole batch is skipped.
    pub fn batches_per_epoch(&self) -> usize {
        self.sampler.as_ref().map_or_else(|| self.each.batches(), |sampler| sampler.batches())
    }

    /// Returns the images of the batches `from..to` of an epoch as planned, of all ranks: what cannot be loaded is
    /// counted too.
    pub fn planned_images(&self, epoch: u64, from: usize, to: usize) -> usize {
        match &self.sampler {
            Some(sampler) => (from..to.min(sampler.batches())).map(|at| sampler.batch(epoch, at).len()).sum(),
            None => {
                let (size, batches) = (self.work.settings.batch_size, self.batches_per_epoch());
                (to.min(batches) * size).min(self.indices.len()).saturating_sub(from * size)
            }
        }
    }

    /// Returns the images it loads, as indices into the source, before shuffling.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// Returns the order in which an epoch visits the images.
    pub fn order(&self, epoch: u64) -> Vec<usize> {
        self.each.order(epoch)
    }

    /// Returns the batches of an epoch from number `from_batch` on; those before are not loaded. Loading starts at
    /// once. After an error the iterator ends. Dropping it cancels what has not been loaded yet.
    pub fn epoch(&self, epoch: u64, from_batch: usize) -> Batches {
        let batch_size = self.work.settings.batch_size;
        let ahead = self.work.settings.prefetch.max(self.pool.current_num_threads().div_ceil(batch_size)).max(1);
        let mut batches = Batches {
            work: Arc::clone(&self.work),
            pool: Arc::clone(&self.pool),
            order: if self.sampler.is_some() { Vec::new() } else { self.order(epoch) },
            sampler: self.sampler.clone(),
            share: self.share,
            epoch,
            count: self.batches_per_epoch(),
            next: from_batch,
            ahead,
            loading: VecDeque::with_capacity(ahead),
            cancelled: Arc::new(AtomicBool::new(false)),
            delivered: from_batch > 0,
        };
        batches.load_ahead();
        batches
    }

    /// Returns the images left out so far, `id: why`, in the order of their indices; an image skipped in several epochs
    /// once.
    pub fn skipped(&self) -> Vec<String> {
        locked(&self.work.skipped).values().cloned().collect()
    }
}

/// The batches of one epoch, in order.
pub struct Batches {
    work: Arc<Work>,
    pool: Arc<rayon::ThreadPool>,
    order: Vec<usize>,
    sampler: Option<Arc<dyn Sampler>>,
    share: Share,
    epoch: u64,
    count: usize,
    /// The first batch not yet handed to the pool.
    next: usize,
    ahead: usize,
    loading: VecDeque<Receiver<Result<Option<Batch>>>>,
    cancelled: Arc<AtomicBool>,
    /// Whether the epoch has given anything yet.
    delivered: bool,
}

impl Batches {
    /// Hands batches to the pool until enough are under way.
    fn load_ahead(&mut self) {
        while self.loading.len() < self.ahead && self.next < self.count {
            let draws = self.draws(self.next);
            let (sender, receiver) = channel();
            let assembly = Arc::new(Assembly {
                position: self.next,
                slots: Mutex::new(draws.iter().map(|_| None).collect()),
                missing: AtomicUsize::new(draws.len()),
                sender,
            });
            if draws.is_empty() {
                // Nobody will fill a slot.
                let _ = assembly.sender.send(Ok(None));
            }
            // One task an image, first in first out, rather than one a batch: with batches of one image every thread
            // still has work, and no thread waits for another inside a task.
            for (slot, &draw) in draws.iter().enumerate() {
                let (work, assembly) = (Arc::clone(&self.work), Arc::clone(&assembly));
                let (cancelled, epoch) = (Arc::clone(&self.cancelled), self.epoch);
                self.pool.spawn_fifo(move || {
                    if !cancelled.load(Ordering::Relaxed) {
                        assembly.fill(slot, work.load(epoch, draw), &work);
                    }
                });
            }
            self.loading.push_back(receiver);
            self.next += 1;
        }
    }

    /// The images of a batch that this rank loads.
    fn draws(&self, position: usize) -> Vec<Draw> {
        if let Some(sampler) = &self.sampler {
            let draws = sampler.batch(self.epoch, position);
            return draws[self.share.of(draws.len())].to_vec();
        }
        let size = self.work.settings.batch_size;
        let start = position * size;
        let batch = &self.order[start..(start + size).min(self.order.len())];
        batch[self.share.of(batch.len())].iter().copied().map(Draw::of).collect()
    }

    fn finish(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.loading.clear();
        self.next = self.count;
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        loop {
            let Some(receiver) = self.loading.pop_front() else {
                let all_skipped = !std::mem::replace(&mut self.delivered, true) && self.count > 0;
                return all_skipped.then(|| {
                    let first = locked(&self.work.skipped).values().next().cloned().unwrap_or_default();
                    Err(Error::settings(format!("none of the {} images could be loaded; {first}", self.order.len())))
                });
            };
            self.load_ahead();
            match receiver.recv() {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(batch))) => {
                    self.delivered = true;
                    return Some(Ok(batch));
                }
                Ok(Err(error)) => {
                    self.delivered = true;
                    self.finish();
                    return Some(Err(error));
                }
                Err(_) => {
                    self.delivered = true;
                    self.finish();
                    return Some(Err(Error::settings("a loading thread ended without giving its batch")));
                }
            }
        }
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.finish();
    }
}

/// A batch in the making; whoever fills the last slot sends it.
struct Assembly {
    position: usize,
    slots: Mutex<Vec<Option<Result<Sample>>>>,
    missing: AtomicUsize,
    sender: Sender<Result<Option<Batch>>>,
}

impl Assembly {
    fn fill(&self, slot: usize, loaded: Result<Sample>, work: &Work) {
        if let Some(place) = locked(&self.slots).get_mut(slot) {
            *place = Some(loaded);
        }
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            let slots = std::mem::take(&mut *locked(&self.slots));
            let mut samples = Vec::with_capacity(slots.len());
            let mut failed = None;
            for loaded in slots.into_iter().flatten() {
                match loaded {
                    Ok(sample) => samples.push(sample),
                    Err(_) if work.settings.on_error == OnError::Skip => {}
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            let batch = match failed {
                Some(error) => Err(error),
                None if samples.is_empty() => Ok(None),
                None => Batch::collate(self.position, samples, &work.normalisation).map(Some),
            };
            // Nobody listens any more where the iterator was dropped meanwhile.
            let _ = self.sender.send(batch);
        }
    }
}

impl Work {
    /// Decodes and transforms one image; a panic becomes an error. What is skipped is noted.
    fn load(&self, epoch: u64, draw: Draw) -> Result<Sample> {
        let Draw { index, view, role } = draw;
        let loaded = caught(self.source.as_ref(), index, || {
            let (picture, mask) = self.source.load(index)?;
            let reference = self.source.reference(index, &picture)?;
            let size = (picture.width(), picture.height());
            let generator = || match view {
                0 => Generator::new(self.settings.seed, "augment", &[epoch, index as u64]),
                view => Generator::new(self.settings.seed, "augment", &[epoch, index as u64, u64::from(view)]),
            };
            let scene = self.pipeline.transform(picture, mask, &mut generator(), self.settings.mean);
            let Scene { picture, mask, views, record } = scene;
            // The same numbers drawn again move it as they moved the image.
            let reference = reference.and_then(|reference| {
                let stand_in = Picture::filled(size.0, size.1, 0.0);
                self.pipeline.apply(stand_in, Some(reference), &mut generator(), self.settings.mean).1
            });
            let (id, label) = (self.source.id(index).to_owned(), self.source.label(index));
            Ok(Sample { index, id, label, picture, mask, reference, views, record, role })
        });
        if let (Err(error), OnError::Skip) = (&loaded, self.settings.on_error) {
            let (id, error) = (name_of(self.source.as_ref(), index), error.to_string());
            // The fault of an image's own file begins with its name already.
            let line = || if error.starts_with(&id) { error.clone() } else { format!("{id}: {error}") };
            locked(&self.skipped).entry(index).or_insert_with(line);
        }
        loaded
    }
}

/// The guarded value, also after a panic elsewhere: every critical section here leaves it whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
