//! Every command knows the components.

use serde_json::Value;

use crate::folder::{Folder, fail, succeed};

#[test]
fn every_component_is_listed() {
    let listed: Value = serde_json::from_str(&succeed(Folder::new().own(&["list", "--json"]))).unwrap();
    for (key, name) in [
        ("model.backbone", "strided"),
        ("model.attention", "inside"),
        ("model.head", "pyramid"),
        ("data.masks.source, and mga masks --segmenter", "bright"),
        ("data.dataset", "gratings"),
        ("data.masks.source", "disc"),
        ("op, in data.train.transforms", "swap-patches"),
        ("sampler.name", "two-view-episodes"),
        ("optimiser.name", "lion"),
        ("optimiser.name", "sgd"),
        ("schedule.name", "restarts"),
        ("eval.metric", "worst_class"),
        ("objective.name", "brier"),
        ("objective.name", "focal"),
        ("objective.name", "tversky"),
        ("transport.name", "one-sided"),
        ("transport.name", "sinkhorn"),
        ("method.name", "swapped-patches"),
        ("task", "nearest-mean"),
        ("trackers", "csv"),
        ("mga sweep --launcher", "shell-script"),
        ("search, of a sweep", "coarse-to-fine"),
        ("mga report", "training-time"),
    ] {
        let groups = listed.as_array().unwrap().iter().filter(|group| group["key"] == key);
        let mut names = groups.flat_map(|group| group["components"].as_array().unwrap()).map(|own| &own["name"]);
        assert!(names.any(|own| own == name), "{key} {name}: {listed:#}");
    }
}

#[test]
fn both_experiments_are_checked() {
    let folder = Folder::new();
    let text = succeed(folder.on("check", "swapped-patches.toml", &[]));
    assert!(text.contains("model: strided") && text.contains("gratings, 4 classes"), "{text}");
    let text = succeed(folder.on("check", "nearest-mean.toml", &[]));
    assert!(text.contains("model: strided, frozen"), "{text}");
}

#[test]
fn mistakes_are_told_before_anything_trains() {
    let folder = Folder::new();
    for (set, expected) in [
        ("method.gird=3", "did you mean `grid`"),
        ("method.grid=99", "99"),
        ("method.name=swapped-patch", "did you mean `swapped-patches`"),
        ("sampler.shots=0", "sampler.shots"),
        ("data.batch_size=13", "expected a multiple of that"),
        ("sampler.queries=1000", "expected a multiple of that"),
        ("train.accumulate=2", "updates twice a batch"),
        ("data.directions=1", "data.directions"),
        ("trackers=[\"cvs\"]", "did you mean `csv`"),
        ("trackers=[{ name = \"csv\", file = \"a/b.csv\" }]", "trackers: `csv`, `file`: expected the name of a file"),
        ("optimiser.beta3=0.5", "did you mean `beta"),
        ("optimiser.beta1=0.995", "expected at most optimiser.beta2, 0.99"),
        ("optimiser.name=loin", "did you mean `lion`"),
        ("schedule.cycle=3", "did you mean `cycles`"),
        ("schedule.cycles=0", "schedule.cycles"),
        ("eval.metric=worst_clas", "did you mean `worst_class`"),
        ("objective={ name = \"brier\", temprature = 2.0 }", "did you mean `temperature`"),
        ("objective={ name = \"brier\", temperature = 0.0 }", "objective.temperature"),
        ("objective={ name = \"brier\", label_smoothing = 0.1 }", "does nothing here"),
        ("transport={ name = \"one-side\" }", "did you mean `one-sided`"),
        ("transport={ name = \"one-sided\", softnes = 1.0 }", "did you mean `softness`"),
        ("transport={ name = \"one-sided\" }", "does nothing here"),
        ("eval.output=logit", "predicts no scores `logit`"),
    ] {
        for command in ["check", "train"] {
            let said = fail(folder.on(command, "swapped-patches.toml", &["--set", set]));
            assert!(said.contains(expected), "{command} {set}: {said}");
        }
    }
    assert!(!folder.path("runs").exists());
}

#[test]
fn another_method_takes_the_settings_of_the_first_away() {
    // `plain` knows no `grid`; the file has one.
    let said = succeed(Folder::new().on("check", "swapped-patches.toml", &["--set", "method.name=plain"]));
    assert!(!said.contains("grid"), "{said}");
}

#[test]
fn a_sampler_leaves_the_settings_of_the_usual_order_without_effect() {
    let said = Folder::new().on("check", "swapped-patches.toml", &["--set", "data.drop_last=true"]).output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr).into_owned() + &String::from_utf8_lossy(&said.stdout);
    assert!(said.contains("data.drop_last") && said.contains("`sampler` chooses the batches itself"), "{said}");
}

#[test]
fn a_run_of_the_method_is_trained_and_evaluated() {
    let folder = Folder::new();
    succeed(folder.on("train", "swapped-patches.toml", &["--out", "run", "--quiet"]));
    let steps: Vec<Value> = folder.log("run").into_iter().filter(|line| line["kind"] == "step").collect();
    // The second cosine starts again at the top.
    let rates: Vec<f64> = steps.iter().map(|line| line["learning_rate"].as_f64().unwrap()).collect();
    assert!(rates[0] == 1e-3 && rates.iter().any(|&rate| rate < 6e-4) && rates.last().unwrap() < &6e-4, "{rates:?}");
    assert!(steps.iter().any(|line| line["epoch"] == 2 && line["learning_rate"] == 1e-3), "{steps:?}");
    // Both updates are in the log.
    for part in ["cross_entropy", "turned_loss", "swapped_loss", "pair_cross_entropy"] {
        assert!(steps.iter().all(|line| line[part].is_f64()), "{part}: {steps:?}");
    }
    let tensors = folder.tensors("run", "last.safetensors");
    assert!(tensors.contains_key("method.head.pair.weight"), "{:?}", tensors.keys());
    assert!(tensors.contains_key("optimiser.lion.momentum.stage1.conv.weight"), "{:?}", tensors.keys());
    assert_ne!(tensors["method.state.stage1.conv.weight"], tensors["stage1.conv.weight"]);
    let summary: Value = serde_json::from_str(&folder.read("run", "summary.json")).unwrap();
    assert!(summary["selected"]["top1"].as_f64().unwrap() > 0.5, "{summary:#}");
    // The metric is in every evaluation, and selects.
    let (worst, best) = (summary["selected"]["worst_class"].as_f64(), summary["best_score"].as_f64());
    assert!(worst.is_some() && best.is_some(), "{summary:#}");
    assert_eq!(summary["metrics"]["worst_class"], serde_json::json!({ "unit": "percent", "better": "higher" }));
    let evaluations: Vec<Value> = folder.log("run").into_iter().filter(|line| line["kind"] == "eval").collect();
    let values: Vec<f64> = evaluations.iter().map(|line| line["worst_class"].as_f64().unwrap()).collect();
    assert_eq!(values.iter().copied().reduce(f64::max), best, "{values:?}");
    // The teacher that was selected is evaluated again.
    let again: Value = serde_json::from_str(&succeed(folder.own(&["eval", "run"]))).unwrap();
    assert_eq!(again["cross_entropy"], summary["selected"]["cross_entropy"]);
    // And it is the teacher that is handed on.
    succeed(folder.own(&["weights", "export", "run", "exported"]));
    let exported = folder.tensors_of("exported/model.safetensors");
    let best = folder.tensors("run", "best.safetensors");
    assert_eq!(exported["stage1.conv.weight"], best["method.state.stage1.conv.weight"]);
    assert_eq!(exported["stage1.conv.weight"], best["stage1.conv.weight"]);
}

#[test]
fn the_teacher_is_what_others_find_in_a_run() {
    let folder = Folder::new();
    let short = ["--set", "schedule.epochs=2", "--quiet"];
    for (out, select_on) in [("selected", "validation"), ("unselected", "last")] {
        let set = format!("eval.select_on={select_on}");
        succeed(folder.on(
            "train",
            "swapped-patches.toml",
            &[&["--out", out, "--set", &set], short.as_slice()].concat(),
        ));
        let summary: Value = serde_json::from_str(&folder.read(out, "summary.json")).unwrap();
        let reported = if select_on == "last" { &summary["last"] } else { &summary["selected"] };
        let text = succeed(folder.on("eval", "swapped-patches.toml", &["--weights", out]));
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found["cross_entropy"], reported["cross_entropy"], "{select_on}");
        let (best, last) = (folder.tensors(out, "best.safetensors"), folder.tensors(out, "last.safetensors"));
        assert_eq!(best["stage1.conv.weight"], best["method.state.stage1.conv.weight"]);
        assert_ne!(last["stage1.conv.weight"], last["method.state.stage1.conv.weight"]);
    }
}

#[test]
fn a_run_of_the_task_trains_nothing_and_is_better_than_chance() {
    let folder = Folder::new();
    succeed(folder.on("train", "nearest-mean.toml", &["--out", "run", "--quiet"]));
    let summary: Value = serde_json::from_str(&folder.read("run", "summary.json")).unwrap();
    assert_eq!(summary["task"], "nearest-mean");
    assert!(summary["selected"]["top1"].as_f64().unwrap() > 0.3, "{summary:#}");
    let tensors = folder.tensors("run", "last.safetensors");
    assert!(tensors.contains_key("method.state.sums"), "{:?}", tensors.keys());
    assert!(!tensors.keys().any(|name| name.starts_with("sgd.")), "{:?}", tensors.keys());
    assert!(folder.read("run", "predictions.csv").contains("direction-03"));
    let said = folder.own(&["weights", "export", "run", "exported"]).output().unwrap().stderr;
    assert!(String::from_utf8_lossy(&said).contains("this takes classifiers"));
}

#[test]
fn the_objective_and_the_scores_that_are_evaluated_are_those_that_are_named() {
    let folder = Folder::new();
    let set = ["objective.name=brier", "eval.output=mirrored", "eval.select_on=last", "schedule.epochs=1"];
    let set = set.into_iter().flat_map(|set| ["--set", set]);
    let arguments: Vec<&str> = ["--out", "run", "--quiet"].into_iter().chain(set).collect();
    succeed(folder.on("train", "swapped-patches.toml", &arguments));
    let steps: Vec<Value> = folder.log("run").into_iter().filter(|line| line["kind"] == "step").collect();
    assert!(steps.iter().all(|line| line["brier_score"].is_f64() && line["cross_entropy"].is_null()), "{steps:?}");
    let resolved = folder.read("run", "experiment.toml");
    assert!(
        resolved.contains("name = \"brier\"\ntemperature = 1.0") && resolved.contains("output = \"mirrored\""),
        "{resolved}"
    );
    let mirrored: Value = serde_json::from_str(&succeed(folder.own(&["eval", "run"]))).unwrap();
    let summary: Value = serde_json::from_str(&folder.read("run", "summary.json")).unwrap();
    assert_eq!(mirrored["cross_entropy"], summary["last"]["cross_entropy"]);
    // The classifier alone does not give these scores.
    let said = folder.own(&["weights", "export", "run", "exported"]).output().unwrap().stderr;
    assert!(String::from_utf8_lossy(&said).contains("scores `mirrored`"), "{}", String::from_utf8_lossy(&said));
}
