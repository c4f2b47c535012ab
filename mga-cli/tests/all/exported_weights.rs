//! `mga weights export`, and predicting from weights without an experiment file.

use std::collections::HashMap;

use candle_core::Device;
use mga_testing::files::column;
use mga_testing::place::Place;
use serde_json::Value;

use super::classifiers::published;
use super::place;

/// Runs to a bad end of exit status 1; gives what was said.
fn failed(place: &Place, arguments: &[&str]) -> String {
    let (message, status) = place.refused(arguments);
    assert_eq!(status, Some(1), "{arguments:?}: {message}");
    message
}

const EXPERIMENT: &str = "\
description = \"A | small one\"
[data]
dataset = \"image-folder\"
root = \"leaves\"
mask_root = \"masks\"
mean = [0.4, 0.5, 0.6]
std = [0.2, 0.25, 0.3]
eval = { transforms = [{ op = \"centre-crop\", size = 40 }] }
[model]
backbone = \"resnet18\"
attention = \"concat\"
[schedule]
epochs = 1
[eval]
select_on = \"last\"
";

#[test]
fn an_exported_run_predicts_what_the_run_does() {
    let place = place();
    place.make_leaves("leaves", 48, 1, 1);
    place.write("x.toml", EXPERIMENT);
    place.done(&["train", "x.toml", "--out", "run", "--quiet"]);
    std::fs::rename(place.path("leaves"), place.path("photos")).unwrap();
    let said = place.done(&["weights", "export", "run", "out/exported"]);
    assert!(said.contains("resnet18") && said.contains("10 classes"), "{said}");
    let mut names: Vec<_> =
        std::fs::read_dir(place.path("out/exported")).unwrap().map(|f| f.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["README.md", "config.json", "model.py", "model.safetensors"]);
    assert_eq!(std::fs::read_dir(place.path("out")).unwrap().count(), 1, "nothing temporary is left");

    // The same classes, with the same confidence, from the run, the folder and the file alone in another place.
    std::fs::copy(place.path("out/exported/model.safetensors"), place.path("alone.safetensors")).unwrap();
    let of = |weights: &str| place.done(&["predict", "photos/test", "--weights", weights, "--top", "2"]);
    let from_run = of("run");
    assert_eq!(column(&from_run, "path").len(), 10);
    assert_eq!(of("out/exported"), from_run);
    assert_eq!(of("alone.safetensors"), from_run);
    let index: Vec<usize> = column(&from_run, "index").iter().map(|index| index.parse().unwrap()).collect();
    let config: Value = place.json("out/exported/config.json");
    for (index, class) in index.into_iter().zip(column(&from_run, "predicted")) {
        assert_eq!(config["label_names"][index], class);
    }
    assert_eq!((&config["architecture"], &config["num_features"]), (&"resnet18".into(), &512.into()));
    let input = &config["pretrained_cfg"];
    assert_eq!(
        (&input["input_size"], &input["mean"]),
        (&serde_json::json!([3, 40, 40]), &serde_json::json!([0.4, 0.5, 0.6]))
    );

    // Settings of the command line are stronger; scores are written where asked for.
    let set = ["--set", "data.eval.transforms=[]", "--logits", "scores.safetensors"];
    let whole =
        place.done(&[&["predict", "photos/test", "--weights", "out/exported", "--top", "2"], &set[..]].concat());
    assert_ne!(whole, from_run);
    let scores = candle_core::safetensors::load(place.path("scores.safetensors"), &Device::Cpu).unwrap();
    assert_eq!(scores["logits"].dims(), [10, 10]);

    // What the card says is what was measured, and nothing of this machine.
    let card = place.read("out/exported/README.md");
    let summary: Value = place.json("run/summary.json");
    let top1 = format!("{:.1} %", 100.0 * summary["last"]["top1"].as_f64().unwrap());
    assert!(
        card.contains(&top1) && card.contains("10 images of the test split") && card.contains("A \\| small one"),
        "{card}"
    );
    assert!(!card.contains(place.folder().to_str().unwrap()));
    let program = place.read("out/exported/model.py");
    assert!(program.contains("torchvision.models.resnet18") && program.contains("0.25"), "{program}");

    // It explains images that are named, and scores a folder for each class as the run did.
    let explain = ["explain", "photos/test", "--weights", "out/exported", "--out", "explained"];
    assert_eq!(column(&place.done(&explain), "predicted"), column(&from_run, "predicted"));
    let unnamed = failed(&place, &["explain", "--weights", "out/exported", "--out", "explained"]);
    assert!(unnamed.contains("no data set of its own"), "{unnamed}");
    let evaluated: Value =
        serde_json::from_str(&place.done(&["eval", "out/exported", "--data", "photos/test"])).unwrap();
    assert_eq!((&evaluated["top1"], &evaluated["images"]), (&summary["last"]["top1"], &10.into()));
    assert!(failed(&place, &["eval", "out/exported"]).contains("--data"));
    std::fs::rename(place.path("photos/test/cultivar-03"), place.path("photos/test/oak")).unwrap();
    let other = failed(&place, &["eval", "out/exported", "--data", "photos/test"]);
    assert!(other.contains("no folder for `cultivar-03`") && other.contains("no class `oak`"), "{other}");

    // Refusals leave what is there as it is.
    let again = failed(&place, &["weights", "export", "run", "out/exported"]);
    assert!(again.contains("not an empty folder"), "{again}");
    std::fs::remove_file(place.path("run/summary.json")).unwrap();
    let unfinished = failed(&place, &["weights", "export", "run", "other"]);
    assert!(unfinished.contains("--resume run") && !place.path("other").exists(), "{unfinished}");
}

#[test]
fn a_published_classifier_needs_its_backbones_name_alone() {
    let place = place();
    image::RgbImage::from_fn(90, 70, |x, y| image::Rgb([x as u8 * 2, y as u8 * 3, 90]))
        .save(place.path("a.png"))
        .unwrap();
    published(&place.path("resnet18.safetensors"), "resnet18", 1000, 1, HashMap::new());
    fn predict<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["predict", "a.png", "--weights", "resnet18.safetensors"], more].concat()
    }
    let said = place.done(&predict(&["--backbone", "resnet18", "--json"]));
    let said: Value = serde_json::from_str(&said).unwrap();
    let names: Vec<&str> = include_str!("../../../crates/mga-train/src/imagenet_classes.txt").lines().collect();
    let index = said[0]["index"].as_u64().unwrap() as usize;
    assert_eq!(said[0]["predicted"], names[index]);

    let unsaid = failed(&place, &predict(&[]));
    assert!(unsaid.contains("--backbone") && unsaid.contains("--experiment"), "{unsaid}");
    let misspelt = failed(&place, &predict(&["--backbone", "resnet81"]));
    assert!(misspelt.contains("did you mean `resnet18`"), "{misspelt}");
    let other = failed(&place, &predict(&["--backbone", "resnet34"]));
    assert!(other.contains("layer1.2.conv1.weight"), "{other}");
    let other = failed(&place, &predict(&["--backbone", "vgg16"]));
    assert!(other.contains("no classifier of vgg16"), "{other}");

    published(&place.path("few.safetensors"), "efficientnet_lite0", 3, 1, HashMap::new());
    let few = place.done(&["predict", "a.png", "--weights", "few.safetensors", "--backbone", "efficientnet_lite0"]);
    assert!(column(&few, "predicted")[0].starts_with("class "), "{few}");
}
