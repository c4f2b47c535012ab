//! A whole sweep evaluated with other settings, and reported.

use mga_testing::process::{fail, succeed};
use serde_json::Value;

use super::fixture::{Folder, SWEEP};

#[test]
fn a_sweep_is_evaluated_again_and_reported_like_any_other() {
    let folder = Folder::new(SWEEP);
    succeed(folder.sweep("out", &[]));
    let before = folder.results("out");
    // Smaller pictures of the same leaves.
    let set = "data.eval.transforms=[{ op = \"resize\", size = [24, 24] }]";
    let eval = |set: &str, out: &str| folder.mga(["eval", "out", "--set", set, "--out", out]);
    let said = |output: std::process::Output| String::from_utf8(output.stderr).unwrap();
    let first = said(succeed(eval(set, "small")));
    assert!(first.contains("evaluated: 4 runs; see them with: mga report small"), "{first}");
    assert_eq!(folder.results("out"), before, "what was trained is left alone");

    let keys: Vec<String> = before.keys().cloned().collect();
    for key in &keys {
        let summary: Value = folder.json(&format!("small/runs/{key}/summary.json"));
        assert_eq!(summary["evaluated"]["set"][0], set);
        let own: Value = folder.json(&format!("out/runs/{key}/summary.json"));
        let reported = |summary: &Value| {
            let selected = &summary["selected"];
            if selected.is_null() { summary["last"].clone() } else { selected.clone() }
        };
        let (evaluated, own) = (reported(&summary), reported(&own));
        assert_ne!(evaluated["cross_entropy"], own["cross_entropy"]);
        // It is what the evaluation of one run says.
        let alone = succeed(folder.mga(["eval", &format!("out/runs/{key}"), "--set", set]));
        let alone: Value = serde_json::from_slice(&alone.stdout).unwrap();
        assert!(alone["cross_entropy"].is_f64());
        assert_eq!(evaluated["cross_entropy"], alone["cross_entropy"]);
    }
    let report = succeed(folder.mga(["report", "small", "--out", "report"]));
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("attention = residual") || report.contains("residual"), "{report}");
    let text = folder.read("report/report.md");
    assert!(text.contains("evaluated with data.eval.transforms"), "{text}");

    // It goes on where it was, and mixes nothing.
    std::fs::remove_dir_all(folder.path(&format!("small/runs/{}", keys[1]))).unwrap();
    let again = said(succeed(eval(set, "small")));
    assert_eq!(again.matches("evaluated already").count(), 3, "{again}");
    let other = fail(eval("data.eval.batch_size=3", "small"), 1);
    assert!(other.contains("evaluation with other settings"), "{other}");
    assert!(fail(eval(set, "out"), 1).contains("--out is the sweep itself"));
    assert!(fail(folder.mga(["eval", "out", "--out", "other"]), 1).contains("--set"));
    assert!(fail(folder.mga(["eval", "out", "--set", set]), 1).contains("--out"));
}
