//! A run that is killed again and again, wherever that hits, ends as one that was left in peace.

use mga_testing::process::{Started, said, succeed};

use super::tiny::{SGD, Tiny};

/// Killed when it has said what it trains, and at every line of its log: a step, an epoch, or an evaluation. Where in its
/// work it is then is never the same twice.
fn killed_and_resumed(set: &[&str]) {
    let tiny = Tiny::new(set);
    succeed(tiny.train("peace", &[]));
    let peace = tiny.run("peace");
    assert_eq!((peace.summary["steps"].as_u64(), peace.metrics.len()), (Some(12), 18));
    let log = tiny.path("run/metrics.jsonl");
    let begun = tiny.path("run/experiment.toml");
    let mut kills = 0;
    for lines in 0..=peace.metrics.len() {
        let mut run = Started::new(tiny.go_on("run"));
        // It may have come further than it was waited for, and end before: then it says how it ended.
        kills += usize::from(run.until_file(&begun) && run.until_lines(&log, lines));
        let output = run.kill();
        assert!(output.status.code().is_none_or(|status| status == 0), "{}", said(&output));
    }
    assert!(kills >= 12, "{kills} kills");
    succeed(tiny.go_on("run"));
    tiny.run("run").assert_same(&peace);
    // A run that has ended is evaluated again, and stays what it is.
    succeed(tiny.go_on("run"));
    tiny.run("run").assert_same(&peace);
}

#[test]
fn a_killed_run_of_adamw_ends_as_one_left_in_peace() {
    killed_and_resumed(&[]);
}

#[test]
fn a_killed_run_of_sgd_ends_as_one_left_in_peace() {
    killed_and_resumed(&SGD);
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_again() {
    let tiny = Tiny::new(&["train.checkpoint_every=0"]);
    succeed(tiny.train("peace", &[]));
    let mut run = Started::new(tiny.train("run", &[]));
    run.until_file(&tiny.path("run/experiment.toml"));
    run.kill();
    // However far it came, this is the folder of such a run: half a log, and selected weights without their checkpoint.
    let checkpoint = tiny.path("run/checkpoints/last.safetensors");
    if checkpoint.is_file() {
        std::fs::remove_file(&checkpoint).unwrap();
    }
    tiny.write("run/metrics.jsonl", "{\"kind\":\"step\",\"st");
    succeed(tiny.mga(["train", "--resume", "run"]));
    tiny.run("run").assert_same(&tiny.run("peace"));
}
