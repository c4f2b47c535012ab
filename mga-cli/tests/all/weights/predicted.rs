//! Predicting with weights by their name on the hub.

use std::collections::HashMap;

use mga_models::weights::{AttentionDescription, ModelDescription, Preprocessing};
use serde_json::Value;

use super::bench::Bench;
use crate::classifiers::published;

const RESNET: &str = "timm/resnet18.tv_in1k";

/// A plain resnet18 of so many classes under torchvision's names.
pub(crate) fn resnet18(bench: &Bench, classes: usize, metadata: HashMap<String, String>) -> Vec<u8> {
    let path = bench.path("made.safetensors");
    published(&path, "resnet18", classes, 1, metadata);
    std::fs::read(path).unwrap()
}

pub(crate) fn predict(bench: &Bench, more: &[&str]) -> Value {
    serde_json::from_str(&bench.done(&[&["predict", "a.png", "--json", "--weights"], more].concat())).unwrap()
}

#[test]
fn a_name_is_all_that_known_and_described_weights_need() {
    let bench = Bench::new();
    let picture = image::RgbImage::from_fn(60, 50, |x, y| image::Rgb([x as u8 * 4, y as u8 * 5, 90]));
    picture.save(bench.path("a.png")).unwrap();

    // Published weights that are known by name: the backbone, its preprocessing and ImageNet's classes.
    bench.server.model(RESNET, &[("model.safetensors", &resnet18(&bench, 1000, HashMap::new()))]);
    let known = predict(&bench, &[RESNET]);
    assert_eq!(known, predict(&bench, &["made.safetensors", "--backbone", "resnet18"]));

    // Any other repository, where it says what it is or is told.
    let description = ModelDescription {
        backbone: "resnet18".to_owned(),
        attention: AttentionDescription { kind: "none".to_owned(), residual_weights: [0.5, 0.5], map: false },
        settings: Default::default(),
        classes: ["ash", "birch", "oak"].map(str::to_owned).to_vec(),
        preprocessing: Preprocessing {
            mean: [0.5; 3],
            std: [0.25; 3],
            transforms: vec![],
            background: None,
            background_seed: None,
            resize_rounding: Some("8-bit".into()),
            white_point: None,
        },
        experiment: String::new(),
    };
    let metadata = description.to_metadata().unwrap();
    bench.server.model("me/trees", &[("model.safetensors", &resnet18(&bench, 3, metadata))]);
    let described = predict(&bench, &["me/trees"]);
    let index = described[0]["index"].as_u64().unwrap() as usize;
    assert_eq!(described[0]["predicted"], description.classes[index]);
    bench.server.model("me/plain", &[("model.safetensors", &resnet18(&bench, 3, HashMap::new()))]);
    let (message, code) = bench.refused(&["predict", "a.png", "--weights", "me/plain"]);
    assert!(message.contains("--backbone") && code == Some(1), "{message}");
    assert_eq!(predict(&bench, &["me/plain", "--backbone", "resnet18"])[0]["top"].as_array().unwrap().len(), 3);

    let (message, _) = bench.refused(&["predict", "a.png", "--weights", "runs/frist"]);
    assert!(message.contains("no such file or folder") && message.contains("hub"), "{message}");
}
