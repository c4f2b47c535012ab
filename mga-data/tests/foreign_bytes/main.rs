//! Every reader of files that somebody else wrote, fed with damaged ones: each ends with a value or an error, never with a
//! panic, and within bounded memory. What is drawn is a function of the seed of the mutations; only how many are drawn
//! depends on the time at hand.
//!
//! A test binary of its own, for its allocator counts everything in the process.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking, in its helpers too")]

mod seeds;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mga_data::background::Backdrop;
use mga_data::datasets::{label_pickle, labels};
use mga_data::decode;
use mga_data::label_map::read_label_map;
use mga_data::labelme::{LabelMeSettings, read_labelme};
use mga_data::registry::{Datasets, OpenContext, builtin};
use mga_testing::allocation::{self, Counting};
use mga_testing::mutation::Mutations;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How long each reader is tried, beside the seeds themselves.
const TIME: Duration = Duration::from_millis(1200);

/// What a reader may hold beyond what was there before: the decoder's limit, and what a test's own files take.
const MEMORY: usize = decode::MAX_MEMORY as usize + (64 << 20);

/// Whether a reader is at work.
static READING: AtomicBool = AtomicBool::new(false);

/// Feeds `read` with the seeds and with what mutations make of them. Files are written to `path` first.
fn try_reader(name: &str, path: &Path, seeds: &[Vec<u8>], read: &dyn Fn(&[u8])) {
    let begun = Instant::now();
    let mut mutations = Mutations::of(seeds);
    let mut count = 0;
    let whole = seeds.iter().cloned();
    let damaged = std::iter::from_fn(|| (begun.elapsed() < TIME).then(|| mutations.next()));
    for bytes in whole.chain(damaged) {
        std::fs::write(path, &bytes).unwrap();
        let before = allocation::start();
        let started = Instant::now();
        READING.store(true, Ordering::Relaxed);
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&bytes)));
        READING.store(false, Ordering::Relaxed);
        let held = allocation::peak() - before;
        let kept = || {
            let kept = std::env::temp_dir().join(format!("mga-foreign-{}", name.replace(' ', "-")));
            std::fs::write(&kept, &bytes).unwrap();
            kept.display().to_string()
        };
        assert!(outcome.is_ok(), "{name}: panicked on {}", kept());
        assert!(held < MEMORY, "{name}: held {held} bytes for {}", kept());
        assert!(started.elapsed() < Duration::from_secs(60), "{name}: took too long for {}", kept());
        count += 1;
    }
    assert!(count > seeds.len(), "{name}: no time was left for a single damaged file");
}

/// Opens a data set and loads its images and masks.
fn open(name: &str, settings: &serde_json::Value, root: &Path) {
    let registry = builtin();
    let entry = registry.get::<Datasets>(name).unwrap();
    let context = OpenContext { root: Some(root.to_path_buf()), ..OpenContext::default() };
    let Ok(set) = entry.item.open(settings, &context) else { return };
    for index in 0..set.records().len().min(8) {
        let _ = set.image(index);
        for source in set.mask_sources() {
            let _ = set.mask(index, source);
        }
    }
}

#[test]
fn damaged_files_are_errors_within_bounded_memory() {
    // Readers' own panics are asserted on; their messages would bury everything else.
    let said = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !READING.load(Ordering::Relaxed) {
            said(panic);
        }
    }));
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);

    let file = at("picture");
    let pictures = seeds::pictures();
    try_reader("images", &file, &pictures, &|bytes| {
        let _ = decode::picture_and_alpha_from_bytes(bytes, &file, &Backdrop::default(), "x");
        let _ = decode::size(&file);
        let _ = decode::has_alpha(&file);
    });
    try_reader("masks", &file, &pictures, &|bytes| drop(decode::mask_from_bytes(bytes, &file)));
    try_reader("label maps", &file, &seeds::label_maps(), &|_| drop(read_label_map(&file, 3)));

    let classes = ["background", "vein"].map(str::to_owned).to_vec();
    let settings = LabelMeSettings { classes, line_width: 2.0, region: Some("leaf".to_owned()) };
    let file = at("x.json");
    try_reader("LabelMe", &file, &seeds::labelme(), &|_| drop(read_labelme(&file, (16, 12), &settings)));

    let file = at("labels.pkl");
    try_reader("labels.pkl", &file, &seeds::label_pickles(), &|_| drop(label_pickle::read_pickle(&file)));
    let file = at("labels.csv");
    try_reader("labels.csv", &file, &seeds::tables(), &|_| drop(labels::read_csv(&file)));

    std::fs::create_dir(at("images")).unwrap();
    std::fs::write(at("images/a.png"), &pictures[1]).unwrap();
    for name in ["file", "train_list"] {
        let file = at("images/list");
        let table = serde_json::json!({ name: file });
        try_reader(&format!("table {name}"), &file, &seeds::tables(), &|_| open("table", &table, &at("images")));
    }

    std::fs::create_dir(at("parquet")).unwrap();
    let file = at("parquet/train.parquet");
    let parquet = seeds::parquet(&pictures[1]);
    try_reader("parquet", &file, &[parquet], &|_| open("hub", &serde_json::json!({}), &at("parquet")));

    std::fs::create_dir(at("digits")).unwrap();
    let (images, labels) = seeds::idx();
    for part in ["train", "t10k"] {
        std::fs::write(at(&format!("digits/{part}-images-idx3-ubyte")), &images).unwrap();
        std::fs::write(at(&format!("digits/{part}-labels-idx1-ubyte")), &labels).unwrap();
    }
    for (name, seed) in [("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)] {
        let file = at("digits").join(name);
        try_reader(name, &file, std::slice::from_ref(&seed), &|_| open("mnist", &serde_json::json!({}), &at("digits")));
        std::fs::write(&file, &seed).unwrap();
    }

    what_the_limit_is_computed_from_holds();
}

/// Decoding takes no more for a pixel than the limit on memory reckons with.
fn what_the_limit_is_computed_from_holds() {
    for (bytes, each) in seeds::large() {
        let before = allocation::start();
        let (picture, alpha) =
            decode::picture_and_alpha_from_bytes(&bytes, Path::new("x"), &Backdrop::default(), "x").unwrap();
        let held = allocation::peak() - before;
        let pixels = picture.width() * picture.height();
        assert!(held <= pixels * each + (1 << 20), "{held} bytes for {pixels} pixels: more than {each} each");
        drop((picture, alpha));
    }
    // A header of a few bytes that claims what no memory holds, in formats that fill what is not there.
    for bytes in seeds::bombs() {
        let before = allocation::start();
        let message = decode::picture_and_alpha_from_bytes(&bytes, Path::new("x"), &Backdrop::default(), "x");
        let message = message.err().unwrap().to_string();
        assert!(message.contains("GiB to read") || message.contains("million"), "{message}");
        assert!(allocation::peak() - before < 1 << 20);
    }
}
