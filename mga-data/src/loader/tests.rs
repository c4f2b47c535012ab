//! How batches are made and in which order.

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
        let ranks: Vec<Loader> =
            (0..size).map(|rank| loader(Fake::new(22), settings.clone()).0.with_share(Share { rank, size })).collect();
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
