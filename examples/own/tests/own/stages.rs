//! A task of several stages: each is trained in a folder of its own, shared in a sweep, and can be run alone.

use serde_json::Value;

use crate::folder::{Folder, fail, succeed};

const FEW: [&str; 4] = ["--set", "data.train_per_class=10", "--set", "data.workers=1"];

fn trained(folder: &Folder, out: &str, set: &[&str]) {
    succeed(folder.on("train", "episodes.toml", &[&["--out", out, "--quiet"], FEW.as_slice(), set].concat()));
}

fn json(folder: &Folder, run: &str, file: &str) -> Value {
    serde_json::from_str(&folder.read(run, file)).unwrap()
}

#[test]
fn each_stage_is_a_run_and_the_last_is_the_run_itself() {
    let folder = Folder::new();
    trained(&folder, "run", &[]);
    let (first, last) = (json(&folder, "run/stages/pretrain", "summary.json"), json(&folder, "run", "summary.json"));
    assert_eq!((&first["stage"], &first["epochs"]), (&Value::from("pretrain"), &Value::from(2)));
    let names: Vec<_> = last["stages"].as_array().unwrap().iter().map(|stage| stage["name"].clone()).collect();
    assert_eq!(names, ["pretrain", "extract"]);
    assert_eq!((&last["stage"], &last["epochs"]), (&Value::from("extract"), &Value::from(0)));
    let id = &json(&folder, "run/stages/pretrain", "identity.json")["id"];
    assert_eq!(&json(&folder, "run", "identity.json")["previous"], id);
    // The second stage started from the first's weights, and trained nothing.
    let tensors = folder.tensors("run", "last.safetensors");
    let best = folder.tensors("run/stages/pretrain", "best.safetensors");
    assert!(tensors.iter().all(|(name, bytes)| best.get(name) == Some(bytes)), "{:?}", tensors.keys());
    let features = folder.tensors_of("run/features.safetensors");
    assert!(features.keys().eq(["features", "indices", "soft_labels"]), "{:?}", features.keys());
    // Every reader takes it as a run.
    let again: Value = serde_json::from_str(&succeed(folder.own(&["eval", "run"]))).unwrap();
    assert_eq!(again["cross_entropy"], last["last"]["cross_entropy"]);
    assert!(succeed(folder.own(&["results", "list", "run"])).contains("run"));
    succeed(folder.own(&["report", "run", "--out", "report"]));
    assert!(folder.read("report", "report.md").contains("strided"));
    // What is finished is not done again, and the resolved experiment is the same one.
    let log = folder.log("run/stages/pretrain");
    succeed(folder.own(&["train", "--resume", "run"]));
    assert_eq!(folder.log("run/stages/pretrain"), log);
    let resolved = folder.read("run", "experiment.toml");
    let checked = succeed(folder.own(&["check", "run/experiment.toml", "--resolved"]));
    assert!(checked.starts_with(&resolved), "{resolved}\n{checked}");
    succeed(folder.own(&["train", "run/experiment.toml", "--out", "twice", "--quiet"]));
    assert_eq!(json(&folder, "twice", "identity.json"), json(&folder, "run", "identity.json"));
}

#[test]
fn a_stage_runs_alone_from_weights() {
    let folder = Folder::new();
    trained(&folder, "first", &["--set", "run_stages=[\"pretrain\"]"]);
    assert!(!folder.path("first/stages").exists() && !folder.path("first/stages.json").exists());
    trained(&folder, "both", &[]);
    let id = |run: &str| json(&folder, run, "identity.json")["id"].clone();
    assert_eq!(id("first"), id("both/stages/pretrain"));
    let alone = ["--set", "run_stages=[\"extract\"]", "--set", "stages.extract.model.weights=file:first"];
    trained(&folder, "second", &alone);
    for file in ["predictions.csv", "confusion.csv"] {
        assert_eq!(folder.read("second", file), folder.read("both", file), "{file}");
    }
    assert_ne!(id("second"), id("both"));
}

#[test]
fn check_looks_at_every_stage() {
    let folder = Folder::new();
    let said = succeed(folder.on("check", "episodes.toml", &[]));
    assert!(
        said.contains("stage pretrain: fits a model") && said.contains("stage extract: extracts tensors"),
        "{said}"
    );
    assert!(said.contains("those that stage pretrain will have"), "{said}");
    let listed = succeed(folder.own(&["list"]));
    assert!(listed.contains("of task episodes: extracts features"), "{listed}");
    let schema: Value = serde_json::from_str(&succeed(folder.own(&["schema"]))).unwrap();
    assert!(schema["properties"]["stages"]["properties"]["extract"].is_object());
    assert!(schema["definitions"]["Stage"]["properties"]["support"]["properties"]["smoothing"].is_object());
}

#[test]
fn mistakes_are_told_at_the_stage_that_they_are_in() {
    let folder = Folder::new();
    for (set, expected) in [
        ("stages.pretrian.schedule.epochs=1", "stages.pretrian: unknown stage, did you mean `pretrain`?"),
        ("stages.pretrain.shedule.epochs=1", "stages.pretrain.shedule: unknown key, did you mean `schedule`?"),
        ("stages.pretrain.schedule.epochs=0", "stages.pretrain.schedule.epochs: expected at least 1"),
        ("stages.pretrain.seed=1", "stages.pretrain.seed: `seed` holds for all stages"),
        ("stages.extract.schedule.epochs=3", "stages.extract.schedule.epochs: does nothing here"),
        ("schedule.epochs=3", "schedule.epochs: does nothing here: every stage that uses it"),
        ("run_stages=[\"extract\", \"pretrain\"]", "run_stages: expected each stage that runs once"),
        ("run_stages=[\"extrakt\"]", "did you mean `extract`?"),
        ("stages.extract.support.smoothing=2", "stages.extract.support.smoothing: expected at least 0 and at most 0.9"),
        ("stages.extract.support.smooth=0.5", "did you mean `smoothing`"),
        ("stages.pretrain.model.weights=previous", "stages.pretrain.model.weights: `previous` is the stage before"),
        ("stages.extract.data.batch_size=13", "stages.extract.data.batch_size"),
    ] {
        let said = fail(folder.on("train", "episodes.toml", &["--set", set]));
        assert!(said.contains(expected), "{set}: {said}");
    }
    assert!(!folder.path("runs").exists());
    let said = fail(folder.on("check", "nearest-mean.toml", &["--set", "stages.extract.data.batch_size=6"]));
    assert!(
        said.contains("task \"nearest-mean\" has no stages, as task = \"few-shot\" or task = \"episodes\" has"),
        "{said}"
    );
    let said = fail(folder.on("check", "nearest-mean.toml", &["--set", "support.smoothing=0.2"]));
    assert!(said.contains("counts only with task = \"episodes\""), "{said}");
}
