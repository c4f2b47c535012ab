//! A loader that is dropped in mid-epoch stops its threads. A test of its own process, so that they can be counted
//! (which only Linux lets one do through files).

#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mga_data::loader::{Loader, LoaderSettings};
use mga_data::source::Source;
use mga_data::transforms::Pipeline;
use mga_data::{Mask, Picture, Result};

struct Slow(AtomicUsize);

impl Source for Slow {
    fn load(&self, _index: usize) -> Result<(Picture, Option<Mask>)> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        Ok((Picture::filled(4, 4, 0.5), None))
    }

    fn label(&self, _index: usize) -> Option<usize> {
        None
    }

    fn id(&self, _index: usize) -> &str {
        "slow"
    }
}

/// Number of this process's threads that load.
fn loading_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("mga-load")).count()
}

#[test]
fn dropping_early_leaves_no_thread() {
    let source = Arc::new(Slow(AtomicUsize::new(0)));
    let settings = LoaderSettings { batch_size: 50, threads: 4, prefetch: 4, ..LoaderSettings::default() };
    let shared: Arc<dyn Source> = Arc::<Slow>::clone(&source);
    let loader = Loader::new(shared, (0..10_000).collect(), Pipeline::default(), settings).expect("a loader");
    let mut batches = loader.epoch(0, 0);
    assert!(batches.next().is_some_and(|batch| batch.is_ok()));
    assert!((1..=4).contains(&loading_threads()));
    drop(batches);
    let loaded = source.0.load(Ordering::SeqCst);
    drop(loader);
    let start = Instant::now();
    while (loading_threads() > 0 || Arc::strong_count(&source) > 1) && start.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(loading_threads(), 0, "threads live on");
    assert_eq!(Arc::strong_count(&source), 1, "tasks live on");
    // Only what the four threads had begun was finished: the hundreds queued behind were not loaded.
    assert!(source.0.load(Ordering::SeqCst) <= loaded + 4);
}
