//! Segmentation networks that take their weights by name: to be trained on, to make masks, and within an experiment.

use candle_core::{DType, Device};
use mga_core::parameter::ParameterStore;
use mga_models::weights::save_file;
use mga_models::{Networks, builtin};
use mga_registry::OwnSettings;
use mga_testing::experiments::few_leaves;
use mga_testing::stand_in::COMMIT;
use serde_json::Value;

use super::bench::Bench;

const NAME: &str = "nvidia/segformer-b0-finetuned-ade-512-512";

/// Veins found by the network.
fn segmentation() -> String {
    let annotations = "[data.annotations]\nclasses = [\"background\", \"vein\"]\n[model]";
    let leaves = few_leaves("backbone = \"segformer_b0\"\nweights = \"imagenet\"").replace("[model]", annotations);
    format!("task = \"segmentation\"\n{}", leaves.replace("epochs", "name = \"polynomial\"\nepochs"))
}

/// Guided by masks of the network.
fn guided() -> String {
    let masks = format!(
        "source = \"segformer_b0\"\n[data.masks.segmenter]\nweights = \"{NAME}@main\"\nforeground = [\"plant\"]"
    );
    few_leaves("backbone = \"conv4\"").replace("[model]", &format!("[data.masks]\n{masks}\n[model]"))
}

/// Puts the network on the hub as its publisher has it: 150 classes, named in `config.json`, the 18th `plant`.
fn publish(bench: &Bench) {
    let (registry, none) = (builtin(), serde_json::Map::new());
    let mut store = ParameterStore::new(1, DType::F32, &Device::Cpu);
    let network = Networks::of(&registry).network("segformer_b0").unwrap();
    network.build(store.root(), 150, OwnSettings::new("model", &none)).unwrap();
    let path = bench.path("made.safetensors");
    save_file(&store.tensors(), Default::default(), &path).unwrap();
    let label = |class: usize| if class == 17 { "plant".to_owned() } else { format!("thing {class}") };
    let labels: serde_json::Map<_, _> = (0..150).map(|class| (class.to_string(), label(class).into())).collect();
    let config = serde_json::json!({ "id2label": labels }).to_string();
    let file = std::fs::read(&path).unwrap();
    bench.server.model(NAME, &[("model.safetensors", &file), ("config.json", config.as_bytes())]);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn training_starts_from_a_name_and_does_without_it_afterwards() {
    let bench = Bench::new();
    publish(&bench);
    bench.write("x.toml", segmentation());
    let checked = bench.done(&["check", "x.toml", "--resolved"]);
    assert!(checked.contains(&format!("weights: {NAME} at 01234567: ")), "{checked}");
    let anew = "decode_head.classifier.weight  [150, 256, 1, 1]  [2, 256, 1, 1]  drawn anew";
    assert!(checked.contains(anew), "{checked}");
    let from = format!("std [0.229, 0.224, 0.225], from {NAME} (trained at 512 px, bilinear)");
    assert!(checked.contains(&from) && checked.contains("mean = [0.485, 0.456, 0.406]"), "{checked}");

    bench.done(&["train", "x.toml", "--out", "run", "--offline"]);
    let resolved = bench.read("run/experiment.toml");
    assert!(resolved.contains(&format!("weights = \"{NAME}@{COMMIT}\"")), "{resolved}");
    std::fs::remove_dir_all(bench.cache()).unwrap();
    let connections = bench.server.connections();
    bench.done(&["eval", "run"]);
    bench.done(&["train", "--resume", "run"]);
    assert_eq!(bench.server.connections(), connections);

    let refused = |weights: &str, backbone: &str| {
        let set = [format!("model.weights={weights}"), format!("model.backbone={backbone}")];
        let (message, code) = bench.refused(&["check", "x.toml", "--set", &set[0], "--set", &set[1]]);
        assert_eq!(code, Some(2), "{message}");
        message
    };
    let message = refused(NAME, "fcn_resnet50");
    assert!(message.contains("holds weights of segformer_b0, model.backbone is fcn_resnet50"), "{message}");
    let message = refused("imagenet", "hmsa");
    assert!(message.contains("no published weights of hmsa") && message.contains("mga weights convert"), "{message}");
    let message = refused("nvidia/segformer-b0-finetuned-ade-512-521", "segformer_b0");
    assert!(message.contains(&format!("did you mean `{NAME}`?")), "{message}");
}

#[test]
fn a_name_makes_masks() {
    let bench = Bench::new();
    publish(&bench);
    bench.make_leaves("leaves", 32, 1, 1);
    let masks = ["masks", "leaves/test", "--weights", NAME, "--foreground"];
    let made = bench.done(&[&masks[..], &["plant", "--out", "m"]].concat());
    assert!(made.contains("10 masks, 10 of them made now"), "{made}");
    let record: Value = bench.json("m/about/record.json");
    assert_eq!(record["weights_name"], format!("{NAME}@{COMMIT}"));
    assert_eq!((&record["segmenter"], &record["settings"]["foreground"]), (&"segformer_b0".into(), &[17].into()));
    assert_eq!(record["settings"]["classes"], 150);
    let again = bench.done(&[&masks[..], &["17", "--out", "m", "--offline"]].concat());
    assert!(again.contains("10 masks, 0 of them made now"), "{again}");

    let (message, _) = bench.refused(&["masks", "leaves/test", "--weights", NAME, "--out", "n"]);
    assert!(message.contains("none of its 150 classes is a background"), "{message}");
    let (message, _) = bench.refused(&[&masks[..], &["plnat", "--out", "n"]].concat());
    assert!(message.contains("did you mean `plant`?"), "{message}");
    let (message, _) = bench.refused(&["masks", "leaves/test", "--weights", "runs/viens", "--out", "n"]);
    assert!(message.contains("--segmenter"), "{message}");
    let missing = ["masks", "leaves/test", "--weights", "runs/viens", "--segmenter", "unet_small", "--out", "n"];
    let (message, _) = bench.refused(&missing);
    assert!(message.contains("looked for on the hub") && !bench.path("n").exists(), "{message}");
}

#[test]
fn an_experiment_names_the_weights_behind_its_masks() {
    let bench = Bench::new();
    publish(&bench);
    bench.write("x.toml", guided());
    bench.done(&["train", "x.toml", "--out", "run"]);
    let resolved = bench.read("run/experiment.toml");
    assert!(resolved.contains(&format!("weights = \"{NAME}@{COMMIT}\"")), "{resolved}");
    let (message, code) = bench.refused(&["check", "x.toml", "--set", "data.masks.segmenter.weights=nvidia/no"]);
    assert!(message.contains("data.masks.segmenter.weights") && code == Some(2), "{message}");
}
