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
mod tests {
    use serde_json::json;

    use super::*;
    use crate::picture::{Mask, Picture};

    /// Pictures that say who they are; some fail, some panic, and later ones are ready sooner.
    #[derive(Default)]
    struct Fake {
        fail: Vec<usize>,
        panic: Vec<usize>,
        loads: AtomicUsize,
        slow: bool,
        ids: Vec<String>,
    }

    impl Fake {
        fn new(count: usize) -> Self {
            Self { ids: (0..count).map(|i| format!("{i}.png")).collect(), ..Self::default() }
        }
    }

    impl Source for Fake {
        fn load(&self, index: usize) -> Result<(Picture, Option<Mask>)> {
            self.loads.fetch_add(1, Ordering::SeqCst);
            if self.slow {
                std::thread::sleep(std::time::Duration::from_millis(5 * (7 - index as u64 % 7)));
            }
            assert!(!self.panic.contains(&index), "boom {index}");
            if self.fail.contains(&index) {
                return Err(Error::file(&self.ids[index], "cut short"));
            }
            let mask = (!index.is_multiple_of(3)).then(|| Mask::filled(9, 8, 1.0));
            Ok((Picture::filled(9, 8, index as f32 / 100.0), mask))
        }

        fn label(&self, index: usize) -> Option<usize> {
            Some(index % 4)
        }

        fn id(&self, index: usize) -> &str {
            &self.ids[index]
        }
    }

    fn pipeline() -> Pipeline {
        let transforms = json!([{"op": "horizontal-flip"}, {"op": "random-crop", "size": 5}, {"op": "random-erase"},
            {"op": "colour-jitter", "brightness": 0.5}]);
        Pipeline::read(transforms.as_array().expect("transforms"), &crate::registry::builtin()).expect("settings")
    }

    fn loader(source: Fake, settings: LoaderSettings) -> (Loader, Arc<Fake>) {
        let source = Arc::new(source);
        let indices = (0..source.ids.len()).collect();
        let loader = Loader::new(Arc::<Fake>::clone(&source), indices, pipeline(), settings).expect("a loader");
        (loader, source)
    }

    type Plain = (usize, Vec<f32>, Vec<f32>, Vec<bool>, Vec<u32>, Vec<usize>, Vec<String>);

    fn plain(batch: Batch) -> Plain {
        let values = |t: &candle_core::Tensor| t.flatten_all().and_then(|t| t.to_vec1()).expect("values");
        let (images, masks) = (values(&batch.images), values(&batch.masks));
        (batch.position, images, masks, batch.has_mask, batch.labels, batch.indices, batch.ids)
    }

    fn epoch(loader: &Loader, epoch: u64, from: usize) -> Vec<Plain> {
        loader.epoch(epoch, from).map(|b| plain(b.expect("a batch"))).collect()
    }

    /// An image with one mask to learn from and to be measured against.
    struct Twice(Mask);

    impl Source for Twice {
        fn load(&self, _: usize) -> Result<(Picture, Option<Mask>)> {
            Ok((Picture::filled(9, 8, 0.5), Some(self.0.clone())))
        }

        fn reference(&self, index: usize, picture: &Picture) -> Result<Option<Mask>> {
            assert_eq!((picture.width(), picture.height()), (9, 8));
            Ok((index != 3).then(|| self.0.clone()))
        }

        fn label(&self, _: usize) -> Option<usize> {
            Some(0)
        }

        fn id(&self, _: usize) -> &str {
            "x"
        }
    }

    #[test]
    fn a_reference_mask_moves_as_image_and_mask_do() {
        let mask = Mask::new(9, 8, (1..=72).map(|value| value as f32 / 72.0).collect()).expect("a mask");
        let source: Arc<dyn Source> = Arc::new(Twice(mask));
        let settings = LoaderSettings { batch_size: 20, ..Default::default() };
        let loader = Loader::new(source, (0..20).collect(), pipeline(), settings).expect("a loader");
        let batch = loader.epoch(1, 0).next().expect("one").expect("a batch");
        let masks = batch.masks.flatten_from(1).and_then(|masks| masks.to_vec2::<f32>()).expect("values");
        for (index, (mask, reference)) in masks.iter().zip(&batch.references).enumerate() {
            assert_eq!(reference.as_ref().map(Mask::values), (index != 3).then_some(&mask[..]));
        }
        assert!(masks[1..].iter().any(|mask| *mask != masks[0]), "they are moved");
    }

    #[test]
    fn threads_and_prefetching_change_nothing() {
        let run = |threads, prefetch| {
            let settings = LoaderSettings { batch_size: 4, shuffle: true, threads, prefetch, ..Default::default() };
            let (loader, _) = loader(Fake { slow: threads > 1, ..Fake::new(22) }, settings);
            (epoch(&loader, 0, 0), epoch(&loader, 1, 0))
        };
        let one = run(1, 0);
        assert_eq!(one, run(8, 3));
        assert_eq!(one, run(3, 50));
        assert_eq!(one.0.len(), 6);
        assert_eq!(one.0.iter().map(|b| b.0).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        let indices = |epoch: &[Plain]| epoch.iter().flat_map(|b| b.5.clone()).collect::<Vec<_>>();
        assert_ne!(indices(&one.0), indices(&one.1), "every epoch has its own order");
        let mut sorted = indices(&one.0);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..22).collect::<Vec<_>>());
    }

    #[test]
    fn the_shares_of_all_ranks_are_the_batch() {
        let settings = LoaderSettings { batch_size: 5, shuffle: true, threads: 2, ..Default::default() };
        let (whole, _) = loader(Fake::new(22), settings.clone());
        for size in [2, 3] {
            let ranks: Vec<Loader> = (0..size)
                .map(|rank| loader(Fake::new(22), settings.clone()).0.with_share(Share { rank, size }))
                .collect();
            assert!(ranks.iter().all(|rank| rank.planned_images(1, 3, 5) == whole.planned_images(1, 3, 5)));
            let mut parts: Vec<_> = ranks.iter().map(|rank| epoch(rank, 1, 0).into_iter()).collect();
            for batch in epoch(&whole, 1, 0) {
                // The last batch has two images: of three ranks, one has none of it.
                let joined: Vec<Plain> = if batch.5.len() < size {
                    parts.iter_mut().flat_map(|part| part.next()).collect()
                } else {
                    parts.iter_mut().map(|part| part.next().expect("a share")).collect()
                };
                assert!(joined.iter().all(|part| part.0 == batch.0));
                assert_eq!(joined.iter().flat_map(|part| part.5.clone()).collect::<Vec<_>>(), batch.5);
                assert_eq!(joined.iter().flat_map(|part| part.1.clone()).collect::<Vec<_>>(), batch.1);
            }
        }
    }

    #[test]
    fn augmentation_belongs_to_epoch_and_index_not_to_the_place_in_the_batch() {
        let at = |shuffle, epoch_number| {
            let settings = LoaderSettings { batch_size: 1, shuffle, threads: 2, ..Default::default() };
            let mut batches = epoch(&loader(Fake::new(12), settings).0, epoch_number, 0);
            batches.sort_by_key(|b| b.5.clone());
            batches.into_iter().map(|b| b.1).collect::<Vec<_>>()
        };
        assert_eq!(at(true, 3), at(false, 3));
        assert_ne!(at(false, 3), at(false, 4));
    }

    #[test]
    fn an_epoch_resumes_without_loading_what_was_consumed() {
        let settings = LoaderSettings { batch_size: 3, shuffle: true, threads: 2, ..Default::default() };
        let (whole, _) = loader(Fake::new(20), settings.clone());
        let (resumed, source) = loader(Fake::new(20), settings);
        assert_eq!(epoch(&whole, 5, 0)[4..], epoch(&resumed, 5, 4));
        assert_eq!(source.loads.load(Ordering::SeqCst), 20 - 4 * 3);
        assert!(epoch(&resumed, 5, 7).is_empty());
        assert!(epoch(&resumed, 5, 100).is_empty());
    }

    #[test]
    fn the_last_batch_is_short_or_dropped() {
        let settings = LoaderSettings { batch_size: 4, threads: 1, ..Default::default() };
        let (kept, _) = loader(Fake::new(10), settings.clone());
        assert_eq!(kept.batches_per_epoch(), 3);
        assert_eq!(epoch(&kept, 0, 0).iter().map(|b| b.5.len()).collect::<Vec<_>>(), [4, 4, 2]);
        let (dropped, _) = loader(Fake::new(10), LoaderSettings { drop_last: true, ..settings.clone() });
        assert_eq!((dropped.batches_per_epoch(), epoch(&dropped, 0, 0).len()), (2, 2));
        assert_eq!(epoch(&loader(Fake::new(0), settings).0, 0, 0), vec![]);
    }

    #[test]
    fn errors_come_in_order_and_end_the_epoch() {
        let settings = LoaderSettings { batch_size: 2, threads: 4, prefetch: 5, ..Default::default() };
        let source = Fake { fail: vec![5, 8], panic: vec![4], slow: true, ..Fake::new(12) };
        let results: Vec<_> = loader(source, settings.clone()).0.epoch(0, 0).collect();
        assert_eq!(results.len(), 3);
        assert!(results[..2].iter().all(Result::is_ok));
        // 4 and 5 share a batch; the first counts though the second is ready sooner.
        assert_eq!(
            results[2].as_ref().map(|b| b.position).map_err(ToString::to_string),
            Err("image `4.png`: loading it panicked: boom 4".to_owned())
        );
        let results: Vec<_> = loader(Fake { fail: vec![5, 8], ..Fake::new(12) }, settings).0.epoch(0, 0).collect();
        assert!(results.last().is_some_and(|r| r.as_ref().is_err_and(|e| e.to_string() == "5.png: cut short")));
    }

    #[test]
    fn skipped_images_are_left_out_and_reported_once() {
        let on_error = OnError::Skip;
        let settings = LoaderSettings { batch_size: 2, threads: 3, on_error, ..Default::default() };
        let source = Fake { fail: vec![7, 2, 3], panic: vec![0], ..Fake::new(8) };
        let (skipping, _) = loader(source, settings.clone());
        for number in 0..2 {
            let batches = epoch(&skipping, number, 0);
            assert_eq!(
                batches.iter().map(|b| (b.0, b.5.clone())).collect::<Vec<_>>(),
                [(0, vec![1]), (2, vec![4, 5]), (3, vec![6])]
            );
        }
        assert_eq!(
            skipping.skipped(),
            [
                "0.png: image `0.png`: loading it panicked: boom 0",
                "2.png: cut short",
                "3.png: cut short",
                "7.png: cut short"
            ]
        );
        let (nothing, _) = loader(Fake { fail: vec![0, 1, 2], ..Fake::new(3) }, settings);
        let results: Vec<_> = nothing.epoch(0, 0).collect();
        assert_eq!(results.len(), 1);
        assert!(results[0].as_ref().is_err_and(|e| e.to_string().contains("none of the 3 images")));
    }

    #[test]
    fn no_more_is_loaded_ahead_than_asked() {
        let settings = LoaderSettings { batch_size: 2, threads: 2, prefetch: 3, ..Default::default() };
        let (bounded, source) = loader(Fake::new(40), settings);
        let mut batches = bounded.epoch(0, 0);
        assert!(batches.next().is_some_and(|b| b.is_ok()));
        let loads = || source.loads.load(Ordering::SeqCst);
        let start = std::time::Instant::now();
        while loads() < 2 * (1 + 3) && start.elapsed().as_secs() < 30 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        // Time enough for the excess, were there any.
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert_eq!(loads(), 2 * (1 + 3));
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let refused = |settings| {
            let source: Arc<dyn Source> = Arc::new(Fake::new(3));
            Loader::new(source, vec![0, 1, 2], pipeline(), settings).err().map(|e| e.to_string()).unwrap_or_default()
        };
        let settings = LoaderSettings { threads: 1, ..Default::default() };
        assert!(refused(LoaderSettings { batch_size: 0, ..settings.clone() }).contains("batch_size"));
        assert!(refused(LoaderSettings { std: [0.1, 0.0, 0.1], ..settings.clone() }).contains("std"));
        assert!(refused(LoaderSettings { drop_last: true, ..settings.clone() }).contains("drop_last"));
        assert_eq!(refused(settings), "");
    }
}
