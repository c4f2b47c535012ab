//! Folders of runs whose files are damaged: read and reported as far as they go, never with a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use mga_core::statistics::Resampling;
use mga_report::results;
use mga_report::{Request, build, markdown};
use mga_sweep::Plan;
use mga_testing::files::{below, copy};
use mga_testing::mutation::Mutations;

/// How long damage is tried.
const TIME: Duration = Duration::from_secs(4);

#[test]
fn damaged_files_of_runs_never_end_in_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/release_0_1_0/sweep");
    copy(&stored, folder.path());
    let files = below(folder.path());
    let request = Request { resampling: Resampling { resamples: 20, seed: 0 }, ..Request::default() };
    let read = || {
        let _ = Plan::open(folder.path());
        if let Ok(results) = results::read(&[folder.path()])
            && let Ok(report) = build(&results, &request)
        {
            drop(markdown::text(&report, &[]));
        }
    };
    read();
    let wholes: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let mut mutations: Vec<Mutations<'_>> =
        wholes.iter().map(|whole| Mutations::of(std::slice::from_ref(whole))).collect();
    let begun = Instant::now();
    let mut round = 0;
    while begun.elapsed() < TIME || round < files.len() {
        let place = round % files.len();
        let damaged = mutations[place].next();
        std::fs::write(&files[place], &damaged).unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(read));
        let shown = String::from_utf8_lossy(&damaged).into_owned();
        assert!(outcome.is_ok(), "{}: {shown}", files[place].display());
        std::fs::write(&files[place], &wholes[place]).unwrap();
        round += 1;
    }
}
