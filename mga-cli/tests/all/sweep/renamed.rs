//! Runs that a changed sweep file calls by another name: what is done counts by identity.

use std::collections::BTreeMap;

use mga_testing::process::{fail, said, succeed};
use serde_json::Value;

use super::fixture::{Folder, Results, SWEEP, readable, started};

/// Two arms, and the base's seed: 3.
fn without_seeds() -> String {
    SWEEP.replace("[axes]\nseed = [1, 2]\n", "")
}

/// Results by readable names.
fn by_name(results: &BTreeMap<String, Results>) -> BTreeMap<String, Results> {
    results.iter().map(|(key, run)| (readable(key), run.clone())).collect()
}

#[test]
fn an_axis_that_is_added_or_given_up_loses_nothing() {
    let folder = Folder::new(&without_seeds());
    succeed(folder.sweep("out", &[]));
    let before = folder.results("out");
    let names: Vec<String> = by_name(&before).into_keys().collect();
    assert_eq!(names, ["attention-none", "attention-residual"]);
    folder.write("sweep.toml", SWEEP.replace("[1, 2]", "[3, 4]"));
    // To look moves nothing.
    let listed = String::from_utf8(succeed(folder.sweep("out", &["--dry-run"])).stdout).unwrap();
    assert!(listed.contains("tiny: 4 runs: 2 finished, 0 failed, 2 to run"), "{listed}");
    for key in before.keys() {
        assert!(listed.contains(&format!(" (as {key})\n")), "{listed}");
        assert!(listed.contains(&format!("{key} (finished) is the same run as ")), "{listed}");
    }
    assert_eq!(folder.results("out"), before);
    let message = said(&succeed(folder.sweep("out", &[])));
    assert_eq!(started(&message), ["attention-none.seed-4", "attention-residual.seed-4"]);
    assert_eq!(message.matches("it is taken over under that name").count(), 2, "{message}");
    let after = folder.results("out");
    assert_eq!(after.len(), 4);
    for (name, run) in by_name(&before) {
        assert_eq!(by_name(&after)[&format!("{name}.seed-3")], run);
    }
    // A report counts each as the seed that it is.
    let report =
        String::from_utf8(succeed(folder.mga(["report", "out", "--json", "--resamples", "100"])).stdout).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let replicates: Vec<&str> =
        report["runs"].as_array().unwrap().iter().map(|run| run["replicate"].as_str().unwrap()).collect();
    assert_eq!(replicates, ["seed 3", "seed 3", "seed 4", "seed 4"]);
    assert_eq!((&report["arms"][0]["finished"], &report["notes"]), (&Value::from(2), &Value::Array(vec![])));
    // And back.
    folder.write("sweep.toml", without_seeds());
    let message = said(&succeed(folder.sweep("out", &[])));
    assert!(message.contains("2 runs: 2 finished, 0 failed, 0 to run") && started(&message).is_empty(), "{message}");
    assert_eq!(folder.results("out").len(), 4);
}

#[test]
fn a_variant_that_is_renamed_goes_on_from_its_checkpoint() {
    let sweep = "base = \"base.toml\"\n[variants.plain]\n\"model.attention\" = \"none\"\n\"model.mask_guidance\" = false\n\
                 [variants.mga]\n";
    let folder = Folder::new(sweep);
    succeed(folder.sweep("out", &[]));
    let before = folder.results("out");
    // One was killed after its last checkpoint, one failed.
    let runs: Vec<_> = before.keys().map(|key| folder.path("out/runs").join(key)).collect();
    let state = |run: &std::path::Path, state: &str, error: &str| {
        std::fs::remove_file(run.join("summary.json")).unwrap();
        let state =
            format!(r#"{{"state": "{state}", "attempts": 1, "error": {error}, "seconds": 1.0, "process": null}}"#);
        std::fs::write(run.join("state.json"), state).unwrap();
    };
    state(&runs[0], "interrupted", "null");
    state(&runs[1], "failed", "\"the disk was full\"");
    folder.write(
        "sweep.toml",
        sweep.replace("variants.plain", "variants.none").replace("variants.mga", "variants.guided"),
    );
    let listed = String::from_utf8(succeed(folder.sweep("out", &["--dry-run"])).stdout).unwrap();
    assert!(listed.contains(&format!(" interrupted (as {})\n", before.keys().next().unwrap())), "{listed}");
    let message = fail(folder.sweep("out", &[]), 1);
    assert_eq!(started(&message), ["guided"], "a failed run waits for --retry under its new name too: {message}");
    succeed(folder.sweep("out", &["--retry"]));
    let after = by_name(&folder.results("out"));
    assert_eq!(after.keys().collect::<Vec<_>>(), ["guided", "none"]);
    for (old, new) in [("plain", "none"), ("mga", "guided")] {
        assert_eq!(by_name(&before)[old], after[new]);
    }
    let log = folder.path("out/runs").read_dir().unwrap().map(|run| run.unwrap().path().join("log.txt"));
    for log in log.map(|path| std::fs::read_to_string(path).unwrap()) {
        assert!(log.contains("--- attempt 1") && log.contains("--- attempt 2"), "{log}");
    }
}

#[test]
fn a_run_that_was_set_aside_is_taken_back_by_its_sweep() {
    let folder = Folder::new(&without_seeds());
    succeed(folder.sweep("out", &[]));
    let before = folder.results("out");
    let key = before.keys().next().unwrap();
    let (run, aside) = (folder.path("out/runs").join(key), folder.path("out/runs").join(format!("{key}-other-0000")));
    std::fs::rename(&run, &aside).unwrap();
    let message = said(&succeed(folder.sweep("out", &[])));
    assert!(started(&message).is_empty() && message.contains("0 to run"), "{message}");
    assert_eq!(folder.results("out"), before);
    // A second copy stays, and is told of.
    let copy = folder.path("out/runs/copy");
    std::fs::create_dir(&copy).unwrap();
    for name in ["cell.json", "identity.json", "summary.json"] {
        std::fs::copy(run.join(name), copy.join(name)).unwrap();
    }
    let message = said(&succeed(folder.sweep("out", &[])));
    assert!(message.contains(&format!("copy is kept but does not count: {key} is the same run")), "{message}");
}
