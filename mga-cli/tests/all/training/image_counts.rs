//! What a run notes of its images is told by its summary, whichever process saw them.

use image::{GrayImage, Luma};
use mga_testing::process::{fail, succeed};
use serde_json::json;

use super::photographs::Photographs;

#[test]
fn a_resumed_run_tells_of_images_that_only_the_killed_one_saw() {
    let tiny = Photographs::new(
        "check_files = false\non_error = \"skip\"\nbatch_size = 3\nmasks = { source = \"folder\", missing = \"no-loss\" }\n",
    );
    // Training images without mask, with a blank one, with a small one; and one that is no image, to train and to select.
    let masks = tiny.path("masks/train/a");
    std::fs::remove_file(masks.join("0.png")).unwrap();
    GrayImage::new(32, 32).save(masks.join("1.png")).unwrap();
    GrayImage::from_pixel(16, 16, Luma([255])).save(masks.join("2.png")).unwrap();
    for name in ["train/b/3.png", "val/b/3.png"] {
        std::fs::write(tiny.image(name), "no image").unwrap();
    }

    succeed(tiny.train("run", &[]));
    let run = tiny.run("run");
    assert_eq!(run.summary["masks"], json!({ "missing": 1, "blank": 1, "resized": 1 }));
    assert_eq!(run.summary["skipped"].as_array().map(Vec::len), Some(2), "{}", run.summary["skipped"]);
    // As if killed before the last evaluation.
    std::fs::remove_file(tiny.path("run/summary.json")).unwrap();
    succeed(tiny.go_on("run"));
    tiny.run("run").assert_same(&run);
    // On other data it does not go on.
    GrayImage::from_pixel(32, 32, Luma([255])).save(masks.join("3.png")).unwrap();
    let said = fail(tiny.go_on("run"), 1);
    assert!(said.contains("run: not what the run began with: other masks; "), "{said}");
    tiny.write("images/train/b/2.png", "other");
    let said = fail(tiny.go_on("run"), 1);
    assert!(said.contains("began with: other images or labels, masks; "), "{said}");
}
