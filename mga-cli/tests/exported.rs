//! `mga weights export`, and predicting from weights without an experiment file.

use std::path::Path;
use std::process::{Command, Output};

use candle_core::{DType, Device};
use mga_core::ops::Attention;
use mga_core::parameter::ParameterStore;
use mga_models::weights::{rename_back, save_file};
use mga_models::{Input, MgaModel, ModelSettings, Registry};
use serde_json::Value;

// `cfg(test)` tells clippy that it may unwrap.
#[cfg(test)]
fn mga(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mga")).current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = mga(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[cfg(test)]
fn failed(folder: &Path, arguments: &[&str]) -> String {
    let output = mga(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output.stdout));
    text(&output.stderr)
}

#[cfg(test)]
fn column(table: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let place = reader.headers().unwrap().iter().position(|header| header == name).unwrap();
    reader.records().map(|row| row.unwrap()[place].to_owned()).collect()
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
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let small = ["--set", "size=48", "--set", "train_per_class=1", "--set", "test_per_class=1"];
    done(folder, &[&["data", "make", "--dataset", "leaves", "--out", "leaves"], &small[..]].concat());
    std::fs::write(folder.join("x.toml"), EXPERIMENT).unwrap();
    done(folder, &["train", "x.toml", "--out", "run", "--quiet"]);
    std::fs::rename(folder.join("leaves"), folder.join("photos")).unwrap();
    let said = done(folder, &["weights", "export", "run", "out/exported"]);
    assert!(said.contains("resnet18") && said.contains("10 classes"), "{said}");
    let mut names: Vec<_> =
        std::fs::read_dir(folder.join("out/exported")).unwrap().map(|f| f.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["README.md", "config.json", "model.py", "model.safetensors"]);
    assert_eq!(std::fs::read_dir(folder.join("out")).unwrap().count(), 1, "nothing temporary is left");

    // The same classes, with the same confidence, from the run, the folder and the file alone in another place.
    std::fs::copy(folder.join("out/exported/model.safetensors"), folder.join("alone.safetensors")).unwrap();
    let of = |weights: &str| done(folder, &["predict", "photos/test", "--weights", weights, "--top", "2"]);
    let from_run = of("run");
    assert_eq!(column(&from_run, "path").len(), 10);
    assert_eq!(of("out/exported"), from_run);
    assert_eq!(of("alone.safetensors"), from_run);
    let index: Vec<usize> = column(&from_run, "index").iter().map(|index| index.parse().unwrap()).collect();
    let config: Value =
        serde_json::from_slice(&std::fs::read(folder.join("out/exported/config.json")).unwrap()).unwrap();
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
        done(folder, &[&["predict", "photos/test", "--weights", "out/exported", "--top", "2"], &set[..]].concat());
    assert_ne!(whole, from_run);
    let scores = candle_core::safetensors::load(folder.join("scores.safetensors"), &Device::Cpu).unwrap();
    assert_eq!(scores["logits"].dims(), [10, 10]);

    // What the card says is what was measured, and nothing of this machine.
    let card = std::fs::read_to_string(folder.join("out/exported/README.md")).unwrap();
    let summary: Value = serde_json::from_slice(&std::fs::read(folder.join("run/summary.json")).unwrap()).unwrap();
    let top1 = format!("{:.1} %", 100.0 * summary["last"]["top1"].as_f64().unwrap());
    assert!(
        card.contains(&top1) && card.contains("10 images of the test split") && card.contains("A \\| small one"),
        "{card}"
    );
    assert!(!card.contains(folder.to_str().unwrap()));
    let program = std::fs::read_to_string(folder.join("out/exported/model.py")).unwrap();
    assert!(program.contains("torchvision.models.resnet18") && program.contains("0.25"), "{program}");

    // Refusals leave what is there as it is.
    let again = failed(folder, &["weights", "export", "run", "out/exported"]);
    assert!(again.contains("not an empty folder"), "{again}");
    std::fs::remove_file(folder.join("run/summary.json")).unwrap();
    let unfinished = failed(folder, &["weights", "export", "run", "other"]);
    assert!(unfinished.contains("--resume run") && !folder.join("other").exists(), "{unfinished}");
}

/// A plain classifier under torchvision's names.
#[cfg(test)]
fn published(path: &Path, backbone: &str, classes: usize) {
    let registry = Registry::builtin();
    let settings = ModelSettings {
        classes,
        input: Input::Image,
        attention: Attention::None,
        residual_weights: (0.5, 0.5),
        mask_guidance: false,
        freeze_through: None,
        freeze_norm: false,
        dropout: None,
    };
    let store = ParameterStore::new(1, DType::F32, &Device::Cpu);
    let model = MgaModel::new(registry.backbone(backbone).unwrap(), settings, store).unwrap();
    let renames = registry.renames(backbone);
    let named = |name: &str| rename_back(name, &renames, |from| from == "fc");
    let tensors: Vec<_> = model.store().tensors().into_iter().map(|(name, tensor)| (named(&name), tensor)).collect();
    save_file(&tensors, Default::default(), path).unwrap();
}

#[test]
fn a_published_classifier_needs_its_backbones_name_alone() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    image::RgbImage::from_fn(90, 70, |x, y| image::Rgb([x as u8 * 2, y as u8 * 3, 90]))
        .save(folder.join("a.png"))
        .unwrap();
    published(&folder.join("resnet18.safetensors"), "resnet18", 1000);
    fn predict<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["predict", "a.png", "--weights", "resnet18.safetensors"], more].concat()
    }
    let said = done(folder, &predict(&["--backbone", "resnet18", "--json"]));
    let said: Value = serde_json::from_str(&said).unwrap();
    let names: Vec<&str> = include_str!("../../crates/mga-train/src/imagenet_classes.txt").lines().collect();
    let index = said[0]["index"].as_u64().unwrap() as usize;
    assert_eq!(said[0]["predicted"], names[index]);

    let unsaid = failed(folder, &predict(&[]));
    assert!(unsaid.contains("--backbone") && unsaid.contains("--experiment"), "{unsaid}");
    let misspelt = failed(folder, &predict(&["--backbone", "resnet81"]));
    assert!(misspelt.contains("did you mean `resnet18`"), "{misspelt}");
    let other = failed(folder, &predict(&["--backbone", "resnet34"]));
    assert!(other.contains("layer1.2.conv1.weight"), "{other}");
    let other = failed(folder, &predict(&["--backbone", "vgg16"]));
    assert!(other.contains("no classifier of vgg16"), "{other}");

    published(&folder.join("few.safetensors"), "efficientnet_lite0", 3);
    let few = done(folder, &["predict", "a.png", "--weights", "few.safetensors", "--backbone", "efficientnet_lite0"]);
    assert!(column(&few, "predicted")[0].starts_with("class "), "{few}");
}
