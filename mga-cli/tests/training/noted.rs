//! What a run notes of its images is told by its summary, whichever process saw them.

use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::json;

use crate::tiny::{Tiny, fail, succeed};

const EXPERIMENT: &str = r#"task = "classification"
device = "cpu"
threads = 1

[data]
dataset = "image-folder"
root = "images"
mask_root = "../masks"
check_files = false
on_error = "skip"
batch_size = 3
masks = { source = "folder", missing = "no-loss" }

[model]
backbone = "conv4"
attention = "residual"

[optimiser]
name = "adamw"
learning_rate = 1e-3

[schedule]
name = "constant"
epochs = 2
"#;

#[test]
fn a_resumed_run_tells_of_images_that_only_the_killed_one_saw() {
    let tiny = Tiny::new(&[]);
    std::fs::write(tiny.path("tiny.toml"), EXPERIMENT).unwrap();
    for part in ["train", "val", "test"] {
        for class in ["a", "b"] {
            for folder in ["images", "masks"] {
                std::fs::create_dir_all(tiny.path(folder).join(part).join(class)).unwrap();
            }
            for index in 0..4u8 {
                let name = format!("{part}/{class}/{index}.png");
                let picture = RgbImage::from_fn(32, 32, |x, y| Rgb([x as u8 * 8, y as u8 * 8, 60 * index]));
                picture.save(tiny.path("images").join(&name)).unwrap();
                let mask = GrayImage::from_fn(32, 32, |x, _| Luma([if x < 16 { 255 } else { 0 }]));
                mask.save(tiny.path("masks").join(&name)).unwrap();
            }
        }
    }
    // Training images without mask, with a blank one, with a small one; and one that is no image, to train and to select.
    let masks = tiny.path("masks/train/a");
    std::fs::remove_file(masks.join("0.png")).unwrap();
    GrayImage::new(32, 32).save(masks.join("1.png")).unwrap();
    GrayImage::from_pixel(16, 16, Luma([255])).save(masks.join("2.png")).unwrap();
    for name in ["train/b/3.png", "val/b/3.png"] {
        std::fs::write(tiny.path("images").join(name), "no image").unwrap();
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
    std::fs::write(tiny.path("images/train/b/2.png"), "other").unwrap();
    let said = fail(tiny.go_on("run"), 1);
    assert!(said.contains("began with: other images or labels, masks; "), "{said}");
}
