//! Mask files that would be read otherwise than they were meant are told or refused before anything is trained.

use std::path::{Path, PathBuf};

use image::{GrayImage, Luma, Rgb, RgbImage};
use mga_testing::process::{fail, said, succeed};

use super::tiny::Tiny;

const EXPERIMENT: &str = r#"task = "classification"
seed = 3
device = "cpu"
threads = 1

[data]
dataset = "image-folder"
root = "images"
mask_root = "../masks"
batch_size = 4
workers = 1

[model]
backbone = "conv4"
attention = "residual"

[schedule]
name = "constant"
epochs = 1

[eval]
select_on = "last"
"#;

const SEGMENT: &str = r#"task = "segmentation"
device = "cpu"
threads = 1

[data]
dataset = "image-folder"
root = "images"
mask_root = "../masks"
batch_size = 4
workers = 1

[data.annotations]
source = "masks"

[model]
backbone = "unet_small"

[schedule]
name = "constant"
epochs = 1

[eval]
select_on = "last"
"#;

/// Two classes of two training images and one test image each, and masks of these numbers.
fn folder(experiment: &str, numbers: &[u8]) -> Tiny {
    let tiny = Tiny::new(&[]);
    tiny.write("tiny.toml", experiment);
    for (at, place) in places().iter().enumerate() {
        let shade = |x: u32, y: u32| Rgb([(x * 8) as u8, (y * 8) as u8, (at * 40) as u8]);
        save(&tiny.path("images").join(place), |path| RgbImage::from_fn(32, 32, shade).save(path));
        let number = |x: u32, y: u32| Luma([numbers[(x / 8 + y / 16) as usize % numbers.len()]]);
        save(&tiny.path("masks").join(place), |path| GrayImage::from_fn(32, 32, number).save(path));
    }
    tiny
}

fn places() -> Vec<PathBuf> {
    let part = |part: &'static str, count| (0..count).map(move |n| (part, n));
    let numbered = || part("train", 2).chain(part("test", 1));
    ["a", "b"].into_iter().flat_map(|c| numbered().map(move |(p, n)| format!("{p}/{c}/{n}.png").into())).collect()
}

fn save(path: &Path, write: impl Fn(&Path) -> image::ImageResult<()>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    write(path).unwrap();
}

fn says(message: &str, parts: &[&str]) {
    parts.iter().for_each(|part| assert!(message.contains(part), "no `{part}` in: {message}"));
}

#[test]
fn a_trimap_is_told_and_the_lists_say_what_it_means() {
    let tiny = folder(EXPERIMENT, &[1, 2, 3]);
    let check = succeed(tiny.mga(["check", "tiny.toml"]));
    let text = String::from_utf8_lossy(&check.stdout);
    says(&text, &["mask files: 6 PNG, 8-bit grey: 1, 2, 3", "note: 6 masks with only a few whole numbers (1, 2, 3"]);
    let trained = said(&succeed(tiny.train("plain", &[])));
    says(&trained, &["6 masks with only a few whole numbers", "data.masks.foreground = [..]"]);
    let lists = ["data.masks.foreground=[1]", "data.masks.background=[2]", "data.masks.ignore=[3]"];
    let trained = said(&succeed(tiny.train("listed", &lists)));
    assert!(!trained.contains("whole numbers"), "{trained}");
    let resolved = tiny.read("listed/experiment.toml");
    says(&resolved, &["foreground = [1]", "background = [2]", "ignore = [3]"]);
    // Another meaning is another mask, and the run learns something else.
    let loss = |run: &str| tiny.run(run).metrics.iter().find_map(|line| line["mask_mse"].as_f64()).unwrap();
    assert!(loss("plain") != loss("listed") && loss("listed").is_finite());
    let identity = |run: &str| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(tiny.path(run).join("identity.json")).unwrap()).unwrap()
    };
    assert_ne!(identity("plain")["masks"], identity("listed")["masks"]);
    let unlisted = fail(tiny.train("no", &["data.masks.foreground=[1]", "data.masks.background=[2]"]), 1);
    says(&unlisted, &["data.masks", "6 of 6 images that the run reads cannot be used", "the value 3"]);
    let twice = fail(tiny.train("no", &["data.masks.foreground=[1]", "data.masks.ignore=[1]"]), 2);
    says(&twice, &["data.masks.ignore", "a number has one meaning"]);
    let nowhere = fail(tiny.train("no", &["data.masks.foreground=[255]"]), 2);
    says(&nowhere, &["data.masks.foreground names 255, which no mask holds; they hold 1, 2, 3"]);
    assert!(!tiny.path("no").exists());
}

#[test]
fn kinds_are_counted_by_the_check_of_the_data() {
    let tiny = folder(EXPERIMENT, &[0, 255]);
    let check = tiny.mga(["data", "check", "tiny.toml", "--json", "--near", "0"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    let kinds = &report["masks"]["files"]["kinds"];
    assert_eq!((&kinds[0]["kind"], &kinds[0]["files"]), (&"PNG, 8-bit grey".into(), &6.into()), "{report}");
    assert_eq!(kinds[0]["numbers"], serde_json::json!([0, 255]));
}

#[test]
fn missing_and_truncated_masks_are_told_by_the_check() {
    let tiny = folder(EXPERIMENT, &[0, 255]);
    let mask = tiny.path("masks/train/b/1.png");
    let bytes = std::fs::read(&mask).unwrap();
    std::fs::write(&mask, &bytes[..bytes.len() - 16]).unwrap();
    says(&fail(tiny.mga(["check", "tiny.toml"]), 1), &["1 of 6 images", "cannot be used", "masks/train/b/1.png"]);
    says(&fail(tiny.train("run", &[]), 1), &["cannot be used", "masks/train/b/1.png"]);
    let data = fail(tiny.mga(["data", "check", "tiny.toml"]), 1);
    says(&data, &["1 problem with the data"]);
    std::fs::rename(&mask, tiny.path("masks/train/b/1_mask.png")).unwrap();
    let message = fail(tiny.mga(["check", "tiny.toml"]), 2);
    let parts = [
        "1 of 4 training images have no mask",
        "masks/train/b/1.png",
        "1_mask.png",
        "data.mask_name = \"{stem}_mask.png\"",
    ];
    says(&message, &parts);
    assert!(!tiny.path("run").exists());
    // Another name in a folder of one's own.
    let elsewhere = ["data.masks.source=folder", "data.masks.folder=masks", "data.masks.mask_name='{stem}_mask.png'"];
    let message = fail(tiny.train("run", &elsewhere), 2);
    says(&message, &["3 of 4 training images have no mask", "data.masks.mask_name = \"{stem}.png\""]);
}

#[test]
fn segmentation_without_foreground_is_refused() {
    // Class numbers, read as brightness, never reach the threshold.
    let tiny = folder(SEGMENT, &[0, 2]);
    for command in [tiny.mga(["check", "tiny.toml"]), tiny.train("run", &[])] {
        let message = fail(command, 2);
        says(&message, &["0 % of the annotated training pixels are foreground", "data.masks.foreground = [..]"]);
    }
    assert!(!tiny.path("run").exists());
    let check = succeed(tiny.mga(["check", "tiny.toml", "--set", "data.masks.foreground=[2]"]));
    says(&String::from_utf8_lossy(&check.stdout), &["foreground: 50.00 % of the annotated training pixels"]);
    let index = "data.annotations={source = 'index-png', root = 'masks'}";
    tiny.write("tiny.toml", SEGMENT.replace("[data.annotations]\nsource = \"masks\"\n", ""));
    let blank = GrayImage::from_fn(32, 32, |x, _| Luma([if x < 16 { 0 } else { 255 }]));
    places().iter().for_each(|place| save(&tiny.path("masks").join(place), |path| blank.save(path)));
    let message = fail(tiny.mga(["check", "tiny.toml", "--set", index]), 2);
    says(&message, &["0 %", "255 counts nowhere in index-png", "data.annotations.source = \"masks\""]);
}
