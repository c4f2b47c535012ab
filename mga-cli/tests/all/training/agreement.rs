//! Attention against masks, from outside: what a run says of it, whatever masks it learns from, and of the masks.

use mga_testing::process::{said, succeed};
use serde_json::{Value, json};

use super::tiny::Tiny;

/// One epoch on leaves of which the attention map sees more than one place.
const SEEN: [&str; 4] = ["schedule.epochs=1", "data.size=80", "data.train.transforms=[]", "data.eval.transforms=[]"];

fn stdout(tiny: &Tiny, out: &str, set: &[&str]) -> String {
    String::from_utf8(succeed(tiny.train(out, set)).stdout).unwrap()
}

#[test]
fn every_arm_is_measured_against_the_reference_masks() {
    let reference = "eval.reference_masks={ source = \"silhouette\" }";
    let tiny = Tiny::new(&[&[reference], &SEEN[..]].concat());
    let ended = stdout(&tiny, "veins", &[]);
    for line in ["  mask agreement     AUC 0.", "  reference masks    AUC 0.", "  guidance           mask MSE 0."] {
        assert!(ended.contains(line), "{ended}");
    }
    stdout(&tiny, "shuffled", &["data.masks.source=shuffled"]);
    stdout(&tiny, "unguided", &["model.mask_guidance=false"]);
    for run in ["veins", "shuffled", "unguided"] {
        let summary = tiny.json(&format!("{run}/summary.json"));
        let evaluation = &summary["selected"];
        for key in ["reference_auc", "reference_correlation", "reference_overlap", "reference_overlap_chance"] {
            assert!(evaluation[key].is_number(), "{run}: {key}: {evaluation}");
        }
        assert_eq!(evaluation["reference_masks_used"], 10, "{run}");
        let guided = run != "unguided";
        assert_eq!(evaluation["mask_auc"].is_number(), guided, "{run}");
        assert_eq!(evaluation["mask_reference_iou"].is_number(), guided, "{run}");
        assert_eq!(summary["guidance"]["start"]["mask_mse"].is_number(), guided, "{run}");
        // The log has them too, and TensorBoard with it.
        let log = std::fs::read_to_string(tiny.path(run).join("metrics.jsonl")).unwrap();
        assert!(log.contains("\"reference_auc\":0."), "{log}");
        assert!(tiny.json(&format!("{run}/identity.json"))["reference"].is_string(), "{run}");
    }
    // The same masks in all of them, and what is evaluated later is what the run said.
    let same = |key: &str, a: &str, b: &str| {
        tiny.json(&format!("{a}/identity.json"))[key] == tiny.json(&format!("{b}/identity.json"))[key]
    };
    assert!(same("reference", "veins", "shuffled") && same("reference", "veins", "unguided"));
    assert!(!same("masks", "veins", "shuffled") && !same("id", "veins", "shuffled"));
    let evaluated = succeed(tiny.mga(["eval", "shuffled"]));
    let evaluated: Value = serde_json::from_slice(&evaluated.stdout).unwrap();
    let summary = tiny.json("shuffled/summary.json");
    for key in ["reference_auc", "reference_overlap", "mask_auc", "mask_reference_iou"] {
        assert_eq!(evaluated[key], summary["selected"][key], "{key}");
    }
    let output = succeed(tiny.mga(["eval", "veins", "--set", "eval.reference_masks.source=silhouete"]));
    let told = said(&output);
    assert!(told.contains("note: evaluated without reference masks: ") && told.contains("did you mean"), "{told}");
    assert!(!String::from_utf8(output.stdout).unwrap().contains("reference_auc"));
    // It learns nothing from them: the weights are those of a run without.
    let plain = Tiny::new(&SEEN);
    stdout(&plain, "veins", &[]);
    assert_eq!(plain.run("veins").tensors, tiny.run("veins").tensors);
    assert!(plain.json("veins/identity.json").get("reference").is_none());
    assert!(!plain.read("veins/experiment.toml").contains("reference_masks"));
}

#[test]
fn guidance_that_does_nothing_is_told() {
    let tiny = Tiny::new(&["schedule.epochs=1"]);
    let said = stdout(&tiny, "idle", &["objective.mask_weight=1e-9", "optimiser.learning_rate=1e-9"]);
    assert!(said.contains("(20 training images): guidance hardly moved the attention"), "{said}");
    let guidance = tiny.json("idle/summary.json")["guidance"].clone();
    assert_eq!(guidance["start"], tiny.json("idle/masks.json")["start"]);
    let mse = |end: &str| guidance[end]["mask_mse"].as_f64().unwrap();
    assert!((mse("start") - mse("end")).abs() < 1e-6, "{guidance}");
}

#[test]
fn masks_are_looked_at_before_they_are_learnt_from() {
    let tiny = Tiny::new(&["schedule.epochs=1"]);
    let all = ["data.masks.source=excess-green", "data.masks.segmenter.options={ threshold = -0.9 }"];
    let cached = format!("data.masks.segmenter.cache={}", tiny.path("cache").display());
    let output = succeed(tiny.train("run", &[&all[..], &[&cached]].concat()));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("masks: excess-green, coverage mean 100.0 % ± 0.0"), "{said}");
    assert!(said.contains("warning: masks (excess-green): 20 of 20 cover all of their image"), "{said}");
    assert!(tiny.path("run/pictures/masks.png").is_file());
    let survey = tiny.json("run/masks.json");
    assert_eq!((&survey["coverage"]["full"], &survey["train_images"]), (&json!(20), &json!(20)));
    assert_eq!(survey["images"].as_array().map(Vec::len), Some(12));
    // As they are looked at by the check; masks that are drawn raise no warning.
    let mut check = tiny.mga(["check", "tiny.toml"]);
    check.args(all.iter().copied().chain([cached.as_str()]).flat_map(|set| ["--set", set]));
    let checked = String::from_utf8(succeed(check).stdout).unwrap();
    assert!(checked.contains("warning: masks (excess-green): 20 of 20 cover all of their image"), "{checked}");
    let checked = String::from_utf8(succeed(tiny.mga(["check", "tiny.toml"])).stdout).unwrap();
    assert!(checked.contains("masks: veins, coverage mean ") && !checked.contains("warning: masks"), "{checked}");
    // The page shows what was said.
    succeed(tiny.mga(["report", "run", "--out", "report"]));
    let page = tiny.read("report/index.html");
    assert!(page.contains("the masks (excess-green) may be useless: 20 of 20 cover all of their image"));
    assert!(page.contains("alt=\"masks (excess-green) of training images\""));
}
