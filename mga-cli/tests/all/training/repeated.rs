//! What a run wrote gives the same numbers again.

use mga_testing::process::succeed;
use serde_json::Value;

use super::tiny::Tiny;

#[test]
fn the_resolved_experiment_trains_to_the_same_bits() {
    let tiny = Tiny::new(&["seed=11", "objective.mask_weight=0.5"]);
    succeed(tiny.train("first", &[]));
    succeed(tiny.mga(["train", "first/experiment.toml", "--out", "second"]));
    tiny.run("second").assert_same(&tiny.run("first"));
    let text = |out| std::fs::read_to_string(tiny.path(out).join("experiment.toml")).unwrap();
    assert_eq!(text("first"), text("second"));
    // And the seed matters: equal bits are not for want of anything random.
    succeed(tiny.mga(["train", "first/experiment.toml", "--out", "third", "--set", "seed=12"]));
    assert_ne!(tiny.run("third").tensors, tiny.run("first").tensors);
}

#[test]
fn evaluating_a_run_gives_the_numbers_of_its_summary() {
    let tiny = Tiny::new(&[]);
    succeed(tiny.train("run", &[]));
    let said = succeed(tiny.mga(["eval", "run", "--out", "again"]));
    let mut numbers: Value = serde_json::from_slice(&said.stdout).unwrap();
    let mut summary = tiny.run("run").summary["selected"].take();
    assert_eq!(summary["images"], 10);
    // The epoch is known to the run alone.
    for numbers in [&mut numbers, &mut summary] {
        assert!(numbers.as_object_mut().unwrap().remove("epoch").is_some());
    }
    assert_eq!(numbers, summary);
    let predictions = |out| std::fs::read(tiny.path(out).join("predictions.csv")).unwrap();
    assert_eq!(predictions("again"), predictions("run"));
}
