//! What a repository says of its weights decides what is done with them, and before they are downloaded.

use std::collections::HashMap;

use mga_testing::stand_in::safetensors;
use serde_json::{Value, json};

use super::bench::Bench;
use super::predicted::{predict, resnet18};

const NAMES: [&str; 3] = ["ash", "birch", "oak"];

/// timm's description of a resnet18 that was evaluated otherwise than ImageNet's.
fn config(architecture: &str) -> Vec<u8> {
    json!({
        "architecture": architecture,
        "num_classes": 3,
        "label_names": NAMES,
        "pretrained_cfg": {
            "input_size": [3, 64, 64], "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "center",
            "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6],
        },
    })
    .to_string()
    .into_bytes()
}

/// The same said on the command line.
const SAID: [&str; 8] = [
    "--set",
    "data.mean=[0.1, 0.2, 0.3]",
    "--set",
    "data.std=[0.4, 0.5, 0.6]",
    "--set",
    "data.resize_rounding=8-bit",
    "--set",
    "data.eval.transforms=[{op = 'shorter-side', size = 71, interpolation = 'bicubic'}, {op = 'centre-crop', size = 64}]",
];

fn picture(bench: &Bench) {
    let picture = image::RgbImage::from_fn(97, 83, |x, y| image::Rgb([x as u8 * 2, y as u8 * 3, (x * y) as u8]));
    picture.save(bench.path("a.png")).unwrap();
}

/// Class numbers and their probabilities.
fn scores(predictions: &Value) -> Vec<(Value, Value)> {
    let top = predictions[0]["top"].as_array().unwrap();
    top.iter().map(|one| (one["index"].clone(), one["probability"].clone())).collect()
}

#[test]
fn a_repository_says_network_names_and_preprocessing_itself() {
    let bench = Bench::new();
    picture(&bench);
    let weights = resnet18(&bench, 3, HashMap::new());
    bench.server.model("me/net", &[("model.safetensors", &weights), ("config.json", &config("resnet18"))]);
    let described = predict(&bench, &["me/net"]);
    assert_eq!(described[0]["predicted"], NAMES[described[0]["index"].as_u64().unwrap() as usize]);
    assert_eq!(predict(&bench, &["me/net", "--backbone", "resnet18"]), described);
    let by_hand = [&["made.safetensors", "--backbone", "resnet18"][..], &SAID[..]].concat();
    assert_eq!(scores(&predict(&bench, &by_hand)), scores(&described));
    // The experiment's own word is stronger.
    assert_ne!(scores(&predict(&bench, &["me/net", "--set", "data.mean=[0.9, 0.9, 0.9]"])), scores(&described));

    // A folder as it was downloaded says the same.
    std::fs::create_dir(bench.path("got")).unwrap();
    bench.write("got/model.safetensors", &weights);
    bench.write("got/config.json", config("resnet18"));
    assert_eq!(predict(&bench, &["got/model.safetensors", "--backbone", "resnet18"]), described);
}

#[test]
fn a_published_name_is_what_its_repository_says() {
    let bench = Bench::new();
    picture(&bench);
    let weights = resnet18(&bench, 3, HashMap::new());
    let name = "timm/resnet18.tv_in1k";
    bench.server.model(name, &[("model.safetensors", &weights), ("config.json", &config("resnet18"))]);
    let by_hand = [&["made.safetensors", "--backbone", "resnet18"][..], &SAID[..]].concat();
    let (by_hand, published) = (predict(&bench, &by_hand), predict(&bench, &[name]));
    assert_eq!(scores(&published), scores(&by_hand));
    assert_eq!(published[0]["predicted"], NAMES[published[0]["index"].as_u64().unwrap() as usize]);
    // Without a description the table of published names says it, and of one of its own a plain file is told.
    let (other, plain) = (Bench::new(), resnet18(&bench, 3, HashMap::new()));
    picture(&other);
    other.server.model(name, &[("model.safetensors", &plain)]);
    std::fs::write(other.path("plain.safetensors"), &plain).unwrap();
    let (output, errors) =
        other.both(&["predict", "a.png", "--json", "--weights", "plain.safetensors", "--backbone", "resnet18"]);
    assert!(errors.contains("prepared as for timm/resnet18.tv_in1k"), "{errors}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(predict(&other, &[name]), told);
}

#[test]
fn a_torn_description_is_an_error_and_not_imagenets() {
    let bench = Bench::new();
    picture(&bench);
    let weights = resnet18(&bench, 3, HashMap::new());
    let torn = &config("resnet18")[..60];
    bench.server.model("me/net", &[("model.safetensors", &weights), ("config.json", torn)]);
    bench.server.model("timm/resnet18.tv_in1k", &[("model.safetensors", &weights), ("config.json", torn)]);
    bench.write("config.json", torn);
    for weights in ["me/net", "timm/resnet18.tv_in1k", "made.safetensors"] {
        let arguments = ["predict", "a.png", "--backbone", "resnet18", "--weights", weights];
        let (message, _) = bench.refused(&arguments);
        let expected =
            message.contains("config.json") && message.contains("cannot be read; put it right, or remove it");
        assert!(expected, "{weights}: {message}");
    }
    bench.server.model("me/few", &[("model.safetensors", &weights), ("config.json", br#"{"label_names": ["a"]}"#)]);
    let (message, _) = bench.refused(&["predict", "a.png", "--backbone", "resnet18", "--weights", "me/few"]);
    assert!(message.contains("names 1 class, and the classifier has 3"), "{message}");
}

#[test]
fn a_network_that_mga_lacks_is_told_before_its_weights_are_downloaded() {
    let bench = Bench::new();
    picture(&bench);
    let name = "timm/convnext_tiny.in12k_ft_in1k";
    bench.server.model(name, &[("model.safetensors", &safetensors(1000)), ("config.json", &config("convnext_tiny"))]);
    let experiment = format!(
        "[data]\ndataset = \"leaves\"\nsize = 16\ntrain_per_class = 2\ntest_per_class = 1\n[model]\n\
         backbone = \"resnet18\"\nweights = \"{name}\"\n[eval]\nselect_on = \"last\"\n"
    );
    bench.write("x.toml", experiment);
    for arguments in [
        &["predict", "a.png", "--weights", name][..],
        &["predict", "a.png", "--backbone", "resnet18", "--weights", name],
        &["check", "x.toml"],
        &["train", "x.toml", "--out", "run"],
        &["eval", "x.toml"],
    ] {
        let (message, _) = bench.refused(arguments);
        assert!(message.contains("convnext_tiny is not among the backbones: resnet18, "), "{arguments:?}: {message}");
    }
    let asked = bench.server.requests();
    assert!(!asked.iter().any(|request| request.path.contains("model.safetensors") || request.path.contains("/cdn/")));
    assert!(!bench.path("run").exists());
    // Who asks for them all the same gets them.
    bench.done(&["weights", "pull", name]);
}

#[test]
fn new_experiments_resize_as_the_published_weights_were_and_old_ones_as_they_did() {
    let bench = Bench::new();
    let weights = resnet18(&bench, 10, HashMap::new());
    bench.server.model("timm/resnet18.tv_in1k", &[("model.safetensors", &weights)]);
    let text = "[data]\ndataset = \"leaves\"\nsize = 32\ntrain_per_class = 1\ntest_per_class = 1\n\
                eval.transforms = [{ op = \"shorter-side\", size = 40 }, { op = \"centre-crop\", size = 32 }]\n[model]\n\
                backbone = \"resnet18\"\nweights = \"imagenet\"\n[eval]\nselect_on = \"last\"\n";
    bench.write("new.toml", text);
    let checked = bench.done(&["check", "new.toml", "--resolved"]);
    assert!(checked.contains("resize_rounding = \"8-bit\""), "{checked}");
    assert!(checked.contains("resized in 8 bits as PIL does"), "{checked}");
    let own = bench.done(&["check", "new.toml", "--resolved", "--set", "data.resize_rounding=none"]);
    assert!(own.contains("resize_rounding = \"none\"") && !own.contains("as PIL does"), "{own}");
    let fresh = bench.done(&["check", "new.toml", "--resolved", "--set", "model.weights=none"]);
    assert!(!fresh.contains("resize_rounding"), "{fresh}");
    for version in ["0.1.0", "0.2.0"] {
        std::fs::write(bench.path("old.toml"), format!("# Resolved by mga {version}: every setting\n\n{text}"))
            .unwrap();
        let old = bench.done(&["check", "old.toml", "--resolved"]);
        assert!(!old.contains("resize_rounding") && !old.contains("as PIL does"), "{version}: {old}");
    }
    // What is written into a run holds for its evaluation and its export.
    bench.done(&["train", "new.toml", "--out", "run", "--set", "schedule.epochs=1"]);
    assert!(bench.read("run/experiment.toml").contains("resize_rounding = \"8-bit\""));
    bench.done(&["weights", "export", "run", "exported"]);
    let exported: Value = bench.json("exported/config.json");
    assert_eq!(exported["mga"]["preprocessing"]["resize_rounding"], "8-bit");
    picture(&bench);
    assert_eq!(predict(&bench, &["exported"]), predict(&bench, &["run"]));
}
