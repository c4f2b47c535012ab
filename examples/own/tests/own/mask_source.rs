//! The mask source: its settings are checked, it is learnt from, and other settings make another run.

use serde_json::Value;

use crate::folder::{Folder, fail, succeed};

const SHORT: [&str; 5] = ["--set", "schedule.epochs=1", "--set", "data.train_per_class=6", "--quiet"];

/// Trains with more settings, and gives the run's identity.
fn identity(folder: &Folder, out: &str, set: &[&str]) -> Value {
    let mut arguments = vec!["--out", out];
    set.iter().for_each(|set| arguments.extend(["--set", set]));
    succeed(folder.on("train", "disc.toml", &[&arguments, SHORT.as_slice()].concat()));
    serde_json::from_str(&folder.read(out, "identity.json")).unwrap()
}

#[test]
fn the_masks_are_surveyed_and_learnt_from() {
    let folder = Folder::new();
    let small = identity(&folder, "small", &[]);
    let masks: Value = serde_json::from_str(&folder.read("small", "masks.json")).unwrap();
    // A disc of radius 0.3 covers pi * 0.09 of a square.
    assert!((masks["coverage"]["mean"].as_f64().unwrap() - 0.283).abs() < 0.01, "{masks:#}");
    let step = folder.log("small").into_iter().find(|line| line["kind"] == "step").unwrap();
    assert!(step["mask_mse"].as_f64().is_some_and(|loss| loss > 0.0), "{step:#}");
    let large = identity(&folder, "large", &["data.masks.radius=0.4"]);
    let other = |key: &str| small[key] != large[key];
    assert!(other("id") && other("experiment") && other("masks"), "{small:#} {large:#}");
    assert_eq!(small["images"], large["images"]);
}

#[test]
fn a_control_is_made_of_the_masks() {
    let folder = Folder::new();
    let control = ["--set", "data.masks.source=inverted", "--set", "data.masks.of=disc"];
    let said = succeed(folder.on("check", "disc.toml", &control));
    assert!(said.contains("inverted"), "{said}");
}

#[test]
fn the_masks_that_a_control_is_made_of_have_settings() {
    let folder = Folder::new();
    let made_of = |out: &str, of: &str| {
        let identity = identity(&folder, out, &["data.masks.source=inverted", of]);
        let masks: Value = serde_json::from_str(&folder.read(out, "masks.json")).unwrap();
        (identity, masks["coverage"]["mean"].as_f64().unwrap())
    };
    // What the disc of this radius does not cover.
    let (small, covered) = made_of("small", "data.masks.of={ name = 'disc', radius = 0.2 }");
    assert!((covered - (1.0 - 0.126)).abs() < 0.02, "{covered}");
    let (bare, _) = made_of("bare", "data.masks.of=disc");
    let (default, _) = made_of("default", "data.masks.of={ name = 'disc', radius = 0.35 }");
    assert_eq!(bare["id"], default["id"]);
    assert_ne!(bare["id"], small["id"]);
    assert!(folder.read("default", "experiment.toml").contains("of = \"disc\""));
}

#[test]
fn mistakes_are_told_at_their_key() {
    let folder = Folder::new();
    for (set, expected) in [
        ("data.masks.radus=0.2", "did you mean `radius`"),
        ("data.masks.radius=2.0", "data.masks.radius: expected at least 0 and at most 1"),
        ("data.masks.source=disk", "did you mean `disc`"),
        ("data.masks.seed=3", "does nothing here"),
        ("data.masks={ source = 'inverted', of = { name = 'disc', radus = 0.2 } }", "data.masks.of.radus: unknown key"),
        ("data.masks={ source = 'inverted', of = { name = 'disc', radius = 2 } }", "data.masks.of.radius: expected at"),
        ("data.masks={ source = 'inverted', of = { name = 'otsu', radius = 1 } }", "`radius` goes with name = `disc`"),
        ("data.masks={ source = 'inverted', of = { radius = 1 } }", "data.masks.of.name: missing"),
        ("eval.reference_masks={ source = 'ones', radius = 0.2 }", "`radius` goes with source = `disc`"),
    ] {
        let said = fail(folder.on("check", "disc.toml", &["--set", set]));
        assert!(said.contains(expected), "{set}: {said}");
    }
}

#[test]
fn another_source_takes_the_settings_of_the_first_away() {
    succeed(Folder::new().on("check", "disc.toml", &["--set", "data.masks.source=ones"]));
}
