//! A search of this crate that is killed makes the draws that it would have made.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::folder::{Folder, experiment, fail, succeed};

fn sweep(folder: &Folder, out: &str) -> Command {
    let set = ["--set", "schedule.epochs=1", "--set", "data.train_per_class=10"];
    folder.on("sweep", "search.toml", &[&["--out", out], set.as_slice()].concat())
}

/// The values that were drawn so far.
fn draws(folder: &Folder, out: &str) -> Vec<Value> {
    let text = std::fs::read(folder.path(out).join("draws.json")).unwrap_or_default();
    // It is written by rename, so it is whole or not there.
    let draws: Value = serde_json::from_slice(&text).unwrap_or_default();
    draws["values"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_search_that_was_killed_goes_on_as_if_it_was_not() {
    let folder = Folder::new();
    succeed(sweep(&folder, "peace"));
    assert_eq!(draws(&folder, "peace").len(), 6);
    let mut killed = sweep(&folder, "killed").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    // In the second round, which follows from the scores of the first.
    while draws(&folder, "killed").len() < 4 {
        assert!(begun.elapsed() < Duration::from_secs(120) && killed.try_wait().unwrap().is_none(), "it does not draw");
        std::thread::sleep(Duration::from_millis(1));
    }
    killed.kill().unwrap();
    assert!(!killed.wait().unwrap().success());
    succeed(sweep(&folder, "killed"));
    assert_eq!(draws(&folder, "killed"), draws(&folder, "peace"));
    succeed(folder.own(&["report", "killed", "--out", "report"]));
    assert!(folder.read("report", "methods.md").contains("by the search \\`coarse-to-fine\\` (seed 3)"));
}

#[test]
fn its_settings_are_checked() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(experiment("search.toml")).unwrap();
    let base = experiment("swapped-patches.toml").display().to_string();
    let text = text.replace("swapped-patches.toml", &base);
    for (right, wrong, expected) in [
        ("draws = 2", "draw = 2", "did you mean `draws`"),
        ("draws = 2", "draws = 0", "expected at least 1"),
        ("coarse-to-fine\", ", "coarse-to-fin\", ", "did you mean `coarse-to-fine`"),
        (
            "{ name = \"coarse-to-fine\", draws = 2, shrink = 0.5 }",
            "\"coarse-to-fin\"",
            "did you mean `coarse-to-fine`",
        ),
        ("seed = 3", "parallel = 3", "budget.parallel: does nothing here: it counts only with search = \"tpe\""),
    ] {
        let changed = text.replace(right, wrong);
        assert_ne!(changed, text, "{right}");
        std::fs::write(folder.path("wrong.toml"), changed).unwrap();
        let told = fail(folder.own(&["sweep", "wrong.toml", "--out", "wrong"]));
        assert!(told.contains(expected), "{wrong}: {told}");
    }
}
