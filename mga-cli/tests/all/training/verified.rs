//! What a run reads is looked over before its first epoch, and a run that met a bad test image can still be finished.

use mga_testing::experiments;
use mga_testing::files::json;
use mga_testing::process::{fail, said, succeed};
use serde_json::Value;

use super::photographs::{Photographs, truncate};

const CHECKED: &str = "batch_size = 3\nworkers = 1\nmasks = { source = \"folder\" }\n";

#[test]
fn bad_images_are_all_found_before_the_first_epoch() {
    let tiny = Photographs::new(CHECKED);
    let bad = [tiny.image("test/b/3.png"), tiny.image("val/a/0.png"), tiny.path("masks/train/a/1.png")];
    let whole: Vec<Vec<u8>> = bad.iter().map(|path| truncate(path)).collect();
    let message = fail(tiny.train("run", &[]), 1);
    assert!(message.contains("3 of 24 images that the run reads cannot be used"), "{message}");
    for name in ["test/b/3.png", "val/a/0.png", "masks/train/a/1.png", "data.on_error"] {
        assert!(message.contains(name), "no {name} in {message}");
    }
    assert!(!tiny.path("run").exists());
    let checked = fail(tiny.mga(["check", "tiny.toml"]), 1);
    assert!(checked.contains("3 of 24 images that the run reads cannot be used"), "{checked}");
    // Once repaired it trains; what was whole before is remembered, and what was not is looked at.
    std::iter::zip(&bad, &whole).for_each(|(path, whole)| std::fs::write(path, whole).unwrap());
    let known = || -> usize {
        let tables = std::fs::read_dir(tiny.path("cache/whole-images")).unwrap();
        tables.map(|table| std::fs::read_to_string(table.unwrap().path()).unwrap().lines().count()).sum()
    };
    assert_eq!(known(), 21);
    succeed(tiny.train("run", &[]));
    assert_eq!(known(), 24);
    succeed(tiny.train("again", &["seed=7", "data.batch_size=4"]));
    assert_eq!(known(), 24);
    // With the headers alone, or nothing, the run comes to its end before it finds out.
    truncate(&bad[0]);
    for verify in ["headers", "off"] {
        let message = fail(tiny.train(verify, &[&format!("data.verify={verify}")]), 1);
        assert!(message.contains("test/b/3.png") && tiny.path(verify).join("checkpoints/last.safetensors").is_file());
    }
}

#[test]
fn what_is_skipped_is_told_before_and_changes_no_batch() {
    let tiny = Photographs::new(CHECKED);
    for name in ["train/b/3.png", "val/b/3.png", "test/a/0.png"] {
        truncate(&tiny.image(name));
    }
    let skip = ["data.on_error=skip"];
    let output = succeed(tiny.train("run", &skip));
    assert!(
        said(&output).contains("3 of 24 images that the run reads cannot be used, and are skipped"),
        "{}",
        said(&output)
    );
    assert_eq!(tiny.run("run").summary["skipped"].as_array().map(Vec::len), Some(3));
    // As a run that does not look before.
    succeed(tiny.train("off", &["data.on_error=skip", "data.verify=off"]));
    tiny.run("off").assert_same(&tiny.run("run"));
}

#[test]
fn a_trained_run_is_evaluated_again_when_a_test_image_was_repaired() {
    let tiny = Photographs::new(CHECKED);
    let off = ["data.verify=off"];
    succeed(tiny.train("peace", &off));
    let (test, train) = (tiny.image("test/b/3.png"), tiny.image("train/b/3.png"));
    let whole = truncate(&test);
    let message = fail(tiny.train("run", &off), 1);
    assert!(message.contains("test/b/3.png"), "{message}");
    let begun = json(&tiny.path("run/identity.json"));
    std::fs::write(&test, &whole).unwrap();
    // Not with other training images.
    let trained = truncate(&train);
    let message = fail(tiny.go_on("run"), 1);
    assert!(message.contains("not what the run began with"), "{message}");
    std::fs::write(&train, trained).unwrap();
    let output = succeed(tiny.go_on("run"));
    assert!(said(&output).contains("it is evaluated again"), "{}", said(&output));
    let (mut run, peace) = (tiny.run("run"), tiny.run("peace"));
    assert_eq!(run.summary["test_images_replaced"].take(), Value::Bool(true));
    assert_eq!(run.summary["selected"], peace.summary["selected"]);
    assert_eq!(run.rest["predictions.csv"], peace.rest["predictions.csv"]);
    // The identity is that of a run on the repaired images, and tells what it was.
    let mut now = json(&tiny.path("run/identity.json"));
    assert_eq!(now["replaced"].take()[0]["id"], begun["id"]);
    now.as_object_mut().unwrap().remove("replaced");
    assert_eq!(now, json(&tiny.path("peace/identity.json")));
}

#[test]
fn a_run_that_is_not_trained_yet_does_not_go_on_with_other_test_images() {
    let tiny = Photographs::new(CHECKED);
    succeed(tiny.train("run", &[]));
    std::fs::remove_file(tiny.path("run/checkpoints/last.safetensors")).unwrap();
    std::fs::remove_file(tiny.path("run/summary.json")).unwrap();
    std::fs::copy(tiny.image("test/a/0.png"), tiny.image("test/b/3.png")).unwrap();
    let message = fail(tiny.go_on("run"), 1);
    assert!(message.contains("other images or labels"), "{message}");
}

const LABEL_MAPS: &str = "dataset = \"image-folder\"\nroot = \"images\"\nmask_root = \"../masks\"\nworkers = 1\n\
                          masks = { source = \"folder\" }\nannotations = { source = \"masks\" }\n";

#[test]
fn label_maps_are_looked_over_and_remembered_too() {
    let tiny = Photographs::new(CHECKED);
    tiny.write("tiny.toml", experiments::small("segmentation", "unet_small", LABEL_MAPS));
    let bad = [tiny.image("test/b/3.png"), tiny.path("masks/train/a/1.png")];
    let whole: Vec<Vec<u8>> = bad.iter().map(|path| truncate(path)).collect();
    let message = fail(tiny.train("run", &[]), 1);
    assert!(message.contains("2 of 24 images that the run reads cannot be used"), "{message}");
    assert!(message.contains("test/b/3.png") && message.contains("masks/train/a/1.png"), "{message}");
    let output = succeed(tiny.train("skip", &["data.on_error=skip"]));
    assert!(said(&output).contains("and are skipped"), "{}", said(&output));
    std::iter::zip(&bad, &whole).for_each(|(path, whole)| std::fs::write(path, whole).unwrap());
    succeed(tiny.train("run", &[]));
    // What is remembered is what was found: the identity is the same without.
    succeed(tiny.train("known", &[]));
    assert!(tiny.path("cache/label-maps").is_dir());
    assert_eq!(json(&tiny.path("known/identity.json")), json(&tiny.path("run/identity.json")));
    let mut plain = tiny.train("plain", &[]);
    plain.env("MGA_CACHE", tiny.path("other-cache"));
    succeed(plain);
    assert_eq!(json(&tiny.path("plain/identity.json")), json(&tiny.path("run/identity.json")));
}
