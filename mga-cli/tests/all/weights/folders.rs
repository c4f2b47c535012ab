//! Weights that are a folder: a run is trained on from, and what was exported. And weight files that are none.

use std::collections::HashMap;

use candle_core::{Device, safetensors};
use mga_models::weights::save_file;
use mga_testing::experiments::few_leaves;
use serde_json::Value;

use super::bench::Bench;

fn experiment() -> String {
    few_leaves("backbone = \"conv4\"")
}

#[test]
fn a_finished_run_is_trained_for_more_epochs() {
    let bench = Bench::new();
    let own = experiment().replace("[model]", "mean = [0.1, 0.2, 0.3]\nstd = [0.4, 0.5, 0.6]\n[model]");
    bench.write("own.toml", own);
    bench.write("x.toml", experiment());
    bench.done(&["train", "own.toml", "--out", "first"]);
    // As the documents say it.
    let more = ["--weights", "first", "--set", "schedule.epochs=2", "--out", "more"];
    let (output, said) = bench.both(&[&["train", "first/experiment.toml"][..], &more[..]].concat());
    assert!(output.status.success() && said.contains("first/checkpoints/last.safetensors: "), "{said}");
    assert!(!said.contains("drawn anew"), "the classifier and the attention go on too: {said}");
    let resolved = bench.read("more/experiment.toml");
    assert!(resolved.contains("weights = \"file:first/checkpoints/last.safetensors\""), "{resolved}");
    assert_eq!(bench.json("more/summary.json")["epochs"], 2);
    let (first, second) = (bench.json("first/identity.json"), bench.json("more/identity.json"));
    assert_eq!((&first["weights"], &first["data"]), (&"none".into(), &second["data"]));
    assert!(second["weights"].as_str().unwrap().len() > 16 && first["id"] != second["id"]);

    // Under another experiment, which says nothing of the normalisation: it follows the weights. So for `eval`, which gives
    // what the run gave.
    let checked = bench.done(&["check", "x.toml", "--set", "model.weights=file:first"]);
    assert!(checked.contains("mean [0.1, 0.2, 0.3], std [0.4, 0.5, 0.6], from first/experiment.toml"), "{checked}");
    let loss = |arguments: &[&str]| -> Value {
        serde_json::from_str::<Value>(&bench.done(arguments)).unwrap()["cross_entropy"].clone()
    };
    let own = loss(&["eval", "first"]);
    assert!(own.is_number() && loss(&["eval", "x.toml", "--weights", "first"]) == own, "{own}");
    bench.done(&["weights", "export", "first", "exported"]);
    let checked = bench.done(&["check", "x.toml", "--set", "model.weights=file:exported"]);
    assert!(checked.contains("exported/model.safetensors") && checked.contains("mean [0.1, 0.2, 0.3]"), "{checked}");
    assert_eq!(loss(&["eval", "x.toml", "--weights", "exported"]), own);

    for (folder, file) in [("first", "first/checkpoints/last.safetensors"), ("exported", "exported/model.safetensors")]
    {
        assert!(bench.done(&["weights", "inspect", folder]).starts_with(file));
    }

    // What cannot be meant is said: a run is not lengthened in place, and a folder may be neither.
    let (_, said) = bench.both(&["train", "--resume", "first"]);
    assert!(said.contains("this run is finished") && said.contains("--weights first"), "{said}");
    std::fs::create_dir(bench.path("empty")).unwrap();
    let (message, code) = bench.refused(&["train", "x.toml", "--weights", "empty", "--out", "none"]);
    assert!(message.contains("empty: neither the folder of a run") && code == Some(2), "{message}");
    let (message, _) = bench.refused(&["weights", "inspect", "empty"]);
    assert!(message.contains("empty: neither the folder of a run"), "{message}");
    assert!(!bench.path("none").exists());
}

#[test]
fn classes_in_another_order_are_told() {
    let bench = Bench::new();
    bench.write("x.toml", experiment());
    bench.done(&["train", "x.toml", "--out", "first"]);
    let table = bench.read("first/confusion.csv");
    let (header, rows) = table.split_once('\n').unwrap();
    let mut names: Vec<&str> = header.split(',').collect();
    names.swap(1, 2);
    bench.write("first/confusion.csv", format!("{}\n{rows}", names.join(",")));
    let (_, said) = bench.both(&["train", "x.toml", "--weights", "first", "--out", "more"]);
    assert!(said.contains("note: the weights tell apart as many classes") && said.contains(names[1]), "{said}");
}

#[test]
fn a_backbone_without_classifier_starts_training_and_is_not_evaluated() {
    let bench = Bench::new();
    bench.write("x.toml", experiment());
    bench.done(&["train", "x.toml", "--out", "first"]);
    let file = bench.path("first/checkpoints/last.safetensors");
    let tensors: HashMap<_, _> = safetensors::load(file, &Device::Cpu).unwrap();
    let part = |name: &str| ["classifier", "attention", "sgd"].iter().any(|part| name.starts_with(part));
    let backbone: Vec<_> = tensors.into_iter().filter(|(name, _)| !part(name)).collect();
    let backbone: Vec<_> = backbone.into_iter().map(|(name, t)| (format!("model.encoder.{name}"), t)).collect();
    save_file(&backbone, HashMap::new(), &bench.path("backbone.safetensors")).unwrap();
    let weights = ["--weights", "backbone.safetensors"];
    let (output, said) = bench.both(&[&["train", "x.toml", "--out", "second"][..], &weights[..]].concat());
    assert!(output.status.success(), "{said}");
    for part in ["names without `model.encoder.`", "classifier.weight", "drawn anew"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (message, _) = bench.refused(&[&["eval", "x.toml"][..], &weights[..]].concat());
    assert!(message.contains("there is nothing to evaluate") && message.contains("classifier.weight"), "{message}");
    image::RgbImage::new(40, 40).save(bench.path("a.png")).unwrap();
    let (message, _) = bench.refused(&[&["predict", "a.png", "--experiment", "x.toml"][..], &weights[..]].concat());
    assert!(message.contains("it has no classifier for the 10 classes"), "{message}");
}

#[test]
fn a_pytorch_file_leads_to_convert_wherever_it_is_named() {
    let bench = Bench::new();
    let fixture =
        |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../mga-models/tests/data/pth").join(name);
    bench.write("x.toml", experiment());
    image::RgbImage::new(40, 40).save(bench.path("a.png")).unwrap();
    for name in ["linear.pth", "legacy.pth"] {
        std::fs::copy(fixture(name), bench.path(name)).unwrap();
        let setting = format!("model.weights=file:{name}");
        for arguments in [
            &["weights", "inspect", name][..],
            &["check", "x.toml", "--set", &setting],
            &["train", "x.toml", "--weights", name, "--out", "none"],
            &["eval", "x.toml", "--weights", name],
            &["predict", "a.png", "--weights", name],
            &["predict", "a.png", "--weights", name, "--backbone", "resnet18"],
            &["predict", "a.png", "--weights", name, "--experiment", "x.toml"],
        ] {
            let (message, _) = bench.refused(arguments);
            let hint = format!("mga weights convert {name} {}", name.replace(".pth", ".safetensors"));
            assert!(message.contains(&hint), "{arguments:?}: {message}");
        }
    }
    assert!(!bench.path("none").exists());
}
