//! Runs and sweeps of release 0.1.0 go on, report, and are not done again.

use std::path::{Path, PathBuf};

use mga_testing::files::copy;
use mga_testing::process::{said, succeed};
use serde_json::Value;

use super::tiny::Tiny;

fn stored(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/release_0_1_0").join(name)
}

/// A folder that holds what 0.1.0 left behind under `names`.
fn with(names: &[&str]) -> Tiny {
    let tiny = Tiny::new(&[]);
    for name in names {
        copy(&stored(name), &tiny.path(name));
    }
    tiny
}

/// The lines of a log.
fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_killed_run_goes_on_to_the_numbers_that_0_1_0_came_to() {
    let tiny = with(&["begun"]);
    succeed(tiny.mga(["train", "--resume", "begun"]));
    let (mut ours, theirs) = (lines(&tiny.path("begun/metrics.jsonl")), lines(&stored("whole-metrics.jsonl")));
    // The means of epochs are new.
    ours.retain(|line| line["kind"] != "epoch");
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        for key in ["kind", "epoch", "step", "split", "images"] {
            assert_eq!(ours.get(key), theirs.get(key), "{ours}");
        }
        for key in ["loss", "cross_entropy", "mask_mse", "learning_rate", "top1", "macro_f1"] {
            let [ours, theirs] = [ours, theirs].map(|line| line.get(key).and_then(Value::as_f64));
            // Processors of other kinds add in another order; one machine gives the same bits.
            let close = ours.zip(theirs).is_none_or(|(a, b)| (a - b).abs() <= 1e-4 * b.abs());
            assert!(close && ours.is_some() == theirs.is_some(), "{key}: {ours:?} for {theirs:?}");
        }
    }
    let table = |path: &Path| -> Vec<String> {
        let mut reader = csv::Reader::from_path(path).unwrap();
        reader.records().map(|row| row.unwrap().iter().take(3).collect::<Vec<_>>().join(",")).collect()
    };
    assert_eq!(table(&tiny.path("begun/predictions.csv")), table(&stored("whole-predictions.csv")));
}

#[test]
fn a_finished_sweep_is_not_done_again_and_reports() {
    let tiny = with(&["tiny.toml", "sweep.toml", "sweep"]);
    let summaries = || -> Vec<(PathBuf, Vec<u8>)> {
        let runs = std::fs::read_dir(tiny.path("sweep/runs")).unwrap();
        let mut all: Vec<PathBuf> = runs.map(|run| run.unwrap().path().join("summary.json")).collect();
        all.sort();
        all.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    };
    let before = summaries();
    assert_eq!(before.len(), 4);
    let output = succeed(tiny.mga(["sweep", "sweep.toml", "--out", "sweep"]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &said(&output);
    assert!(text.contains("4 of 4 runs are finished"), "{text}");
    assert_eq!(summaries(), before);
    succeed(tiny.mga(["report", "sweep", "--out", "report"]));
    let report: Value = tiny.json("report/report.json");
    assert!(report.to_string().contains("mask_guidance"), "{report}");
    let table = tiny.read("report/report.csv");
    assert_eq!(table.lines().count(), 3, "{table}");
    let listed = succeed(tiny.mga(["results", "list", "sweep"]));
    assert!(String::from_utf8_lossy(&listed.stdout).contains("seed-1"), "{listed:?}");
}
