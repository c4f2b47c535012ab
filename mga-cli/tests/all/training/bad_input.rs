//! What is wrong is refused before anything is written, with a message that says where and what to do.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use mga_testing::process::{fail, succeed};

use super::tiny::{SGD, Tiny};

/// Asserts that a message says all of `parts`.
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

#[test]
fn a_misspelt_key_is_shown_where_it_stands() {
    let tiny = Tiny::new(&[]);
    let text = tiny.read("tiny.toml");
    tiny.write("tiny.toml", text.replace("attention = ", "atention = "));
    let message = fail(tiny.train("run", &[]), 2);
    let line = text.lines().position(|line| line.starts_with("attention")).unwrap() + 1;
    says(&message, &[&format!("tiny.toml:{line}:1"), "atention", "attention"]);
    assert!(!tiny.path("run").exists());
}

#[test]
fn data_that_are_not_there_are_refused() {
    let tiny = Tiny::new(&[]);
    std::fs::write(
        tiny.path("tiny.toml"),
        "task = \"classification\"\n[data]\ndataset = \"mganet\"\nroot = \"no/such/data\"\n[model]\nbackbone = \"conv4\"\n",
    )
    .unwrap();
    let message = fail(tiny.train("run", &[]), 2);
    says(&message, &["tiny.toml:4:", "data.root", "no/such/data"]);
    assert!(!tiny.path("run").exists());
}

#[test]
fn weights_that_are_not_there_are_refused() {
    let tiny = Tiny::new(&[]);
    let message = fail(tiny.train("run", &["model.weights=file:nothing.safetensors"]), 2);
    says(&message, &["model.weights", "nothing.safetensors", "no such file"]);
    assert!(!tiny.path("run").exists());
}

#[test]
fn weights_of_another_shape_are_all_listed() {
    let tiny = Tiny::new(&[]);
    succeed(tiny.train("run", &[]));
    let trained = tiny.path("run/checkpoints/best.safetensors");
    let mut tensors: HashMap<String, Tensor> = candle_core::safetensors::load(&trained, &Device::Cpu).unwrap();
    let names: Vec<String> = tensors
        .iter()
        .filter(|(name, tensor)| tensor.rank() == 4 && !name.starts_with("attention"))
        .map(|(name, _)| name.clone())
        .collect();
    assert_eq!(names.len(), 4, "{:?}", tensors.keys());
    for name in &names {
        tensors.insert(name.clone(), Tensor::zeros((7, 3, 3, 3), DType::F32, &Device::Cpu).unwrap());
    }
    candle_core::safetensors::save(&tensors, tiny.path("other.safetensors")).unwrap();
    let message = fail(tiny.train("other", &["model.weights=file:other.safetensors"]), 2);
    says(&message, &["other.safetensors", "[7, 3, 3, 3]"]);
    names.iter().for_each(|name| says(&message, &[name]));
    assert!(!tiny.path("other").exists());
    // The weights as they were are accepted.
    succeed(tiny.train("same", &["model.weights=file:run/checkpoints/best.safetensors"]));
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run() {
    let tiny = Tiny::new(&SGD);
    let message = fail(tiny.train("run", &["optimiser.learning_rate=1e30", "schedule.warmup_epochs=0"]), 1);
    says(&message, &["at step", "epoch 0", "optimiser.learning_rate", "checkpoint is kept", "train/cultivar-0"]);
    // One sentence and one image, not all five of the step.
    let told = message.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert_eq!((told.matches("train/cultivar-").count(), told.matches(". ").count()), (1, 0), "{told}");
    assert!(tiny.path("run/checkpoints/last.safetensors").is_file() && !tiny.path("run/summary.json").exists());
}

#[test]
fn a_folder_with_a_run_is_left_alone() {
    let tiny = Tiny::new(&["schedule.epochs=1"]);
    succeed(tiny.train("run", &[]));
    let before = tiny.run("run");
    let message = fail(tiny.train("run", &["seed=99"]), 1);
    says(&message, &["run", "--resume", "--out"]);
    tiny.run("run").assert_same(&before);
    // Results go into a folder; a file is named, before the work and not after it.
    let message = fail(tiny.mga(["eval", "run", "--out", "tiny.toml"]), 1);
    says(&message, &["tiny.toml: is a file", "--out"]);
    let message = fail(tiny.mga(["sweep", "tiny.toml", "--out", "run"]), 1);
    says(&message, &["there is a run in this folder", "--out"]);
    let message = fail(tiny.mga(["eval", "run", "--split", "validation", "--out", "run"]), 1);
    says(&message, &["predictions.csv", "--out"]);
    tiny.run("run").assert_same(&before);
    std::fs::create_dir(tiny.path("sweep")).unwrap();
    tiny.write("sweep/plan.json", "{}");
    let message = fail(tiny.train("sweep", &[]), 1);
    says(&message, &["there is a sweep in this folder", "--out"]);
    assert_eq!(std::fs::read_dir(tiny.path("sweep")).unwrap().count(), 1);
    let message = fail(tiny.mga(["train", "--resume", "nowhere"]), 1);
    says(&message, &["nowhere", "experiment.toml"]);
    assert!(!tiny.path("nowhere").exists());
}
