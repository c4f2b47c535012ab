//! The objective of segmentation: it is trained with, and its settings are checked.

use crate::folder::{Folder, fail, succeed};

const SEGMENT: &str = r#"task = "segmentation"
seed = 3
device = "cpu"

[data]
dataset = "leaves"
train_per_class = 1
test_per_class = 1
size = 32
batch_size = 5
eval = { batch_size = 5 }
annotations = { classes = ["background", "vein"] }

[model]
backbone = "unet_small"

[objective]
name = "tversky"
dice_weight = 0.5

[schedule]
epochs = 1

[train]
log_every = 1

[eval]
select_on = "last"
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    std::fs::write(folder.path("segment.toml"), SEGMENT).unwrap();
    folder
}

#[test]
fn a_network_is_trained_with_the_objective() {
    let folder = folder();
    succeed(folder.own(&["train", "segment.toml", "--out", "run", "--quiet"]));
    let step = folder.log("run").into_iter().find(|line| line["kind"] == "step").unwrap();
    let part = |key: &str| step[key].as_f64().unwrap_or(f64::NAN);
    assert!((part("tversky") + 0.5 * part("dice") - part("loss")).abs() < 1e-5, "{step:#}");
    assert!(folder.read("run", "experiment.toml").contains("missed = 0.7"));
}

#[test]
fn mistakes_are_told_at_their_key() {
    let folder = folder();
    for (set, expected) in [
        ("objective.mised=0.2", "did you mean `missed`"),
        ("objective.missed=-1.0", "objective.missed: expected at least 0"),
        ("objective.class_weights=[1.0, 2.0]", "objective.class_weights: does nothing here"),
        ("objective.name=brier", "objective.name: unknown name `brier`"),
    ] {
        let said = fail(folder.own(&["check", "segment.toml", "--set", set]));
        assert!(said.contains(expected), "{set}: {said}");
    }
}
