//! An experiment that starts from weights of the hub, and what is left of them in its run.

use std::collections::HashMap;

use mga_testing::experiments::few_leaves;
use mga_testing::stand_in::COMMIT;

use super::bench::Bench;
use crate::classifiers;

fn experiment() -> String {
    few_leaves("backbone = \"resnet18\"\nweights = \"imagenet\"\n[train]\ncheckpoint_every = 1")
}

/// A resnet18 of seven classes under timm's names, as a file's bytes.
fn published(bench: &Bench) -> Vec<u8> {
    let path = bench.path("published.safetensors");
    classifiers::published(&path, "resnet18", 7, 5, HashMap::new());
    std::fs::read(path).unwrap()
}

#[test]
fn a_run_needs_its_first_weights_no_more() {
    let bench = Bench::new();
    let bytes = published(&bench);
    bench.server.model("timm/resnet18.tv_in1k", &[("model.safetensors", &bytes)]);
    let config = br#"{"pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "input_size": [3, 64, 64]}}"#;
    bench.server.model("me/mine", &[("model.safetensors", &bytes), ("config.json", config)]);
    bench.write("x.toml", experiment());

    let checked = bench.done(&["check", "x.toml"]);
    assert!(checked.contains("weights: timm/resnet18.tv_in1k at 01234567: 100 tensors loaded"), "{checked}");
    let fresh = "  classifier.weight  [7, 512]     [10, 512]     drawn anew";
    assert!(checked.contains(fresh) && checked.contains("  attention.weight   -  "), "{checked}");
    let line = "std [0.229, 0.224, 0.225], from timm/resnet18.tv_in1k (trained at 224 px, bilinear)";
    assert!(checked.contains(line), "{checked}");
    let other = bench.done(&["check", "x.toml", "--set", "model.weights=me/mine"]);
    assert!(other.contains("mean [0.1, 0.2, 0.3], std [0.4, 0.5, 0.6], from config.json of me/mine"), "{other}");
    let own = ["--set", "data.mean=[0.5, 0.5, 0.5]", "--set", "data.std=[0.5, 0.5, 0.5]", "--offline"];
    let own = bench.done(&[&["check", "x.toml"][..], &own[..]].concat());
    assert!(own.contains("mean [0.5, 0.5, 0.5]") && own.contains("the experiment's own"), "{own}");

    bench.done(&["train", "x.toml", "--out", "run", "--offline"]);
    let resolved = bench.read("run/experiment.toml");
    assert!(resolved.contains(&format!("weights = \"timm/resnet18.tv_in1k@{COMMIT}\"")), "{resolved}");
    assert!(resolved.contains("mean = [0.485, 0.456, 0.406]"), "{resolved}");
    std::fs::remove_dir_all(bench.cache()).unwrap();
    let connections = bench.server.connections();
    bench.done(&["eval", "run"]);
    bench.make_leaves("pictures", 32, 1, 1);
    bench.done(&["predict", "pictures", "--weights", "run"]);
    bench.done(&["train", "--resume", "run"]);
    assert_eq!(bench.server.connections(), connections);
}

#[test]
fn a_local_file_may_be_gone_once_it_was_trained_from() {
    let bench = Bench::new();
    bench.write("w.safetensors", published(&bench));
    bench.write("x.toml", experiment().replace("imagenet", "file:w.safetensors"));
    bench.done(&["train", "x.toml", "--out", "run"]);
    std::fs::remove_file(bench.path("w.safetensors")).unwrap();
    bench.done(&["eval", "run"]);
    bench.done(&["train", "--resume", "run"]);
    assert_eq!(bench.server.connections(), 0);
    let (message, code) = bench.refused(&["train", "x.toml", "--out", "again"]);
    assert!(message.contains("no such file: w.safetensors") && code == Some(2), "{message}");
}
