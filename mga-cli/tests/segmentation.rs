//! From annotated images to masks to a classifier, with the real program on a few drawn leaves.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

const SEGMENT: &str = r#"task = "segmentation"
seed = 3
device = "cpu"
threads = 1

[data]
dataset = "leaves"
train_per_class = 2
test_per_class = 1
size = 32
batch_size = 5
workers = 1

[data.annotations]
source = "masks"
classes = ["background", "vein"]
threshold = 0.3

[data.train]
transforms = [{ op = "horizontal-flip" }, { op = "rotation", degrees = 10 }, { op = "random-crop", size = 28 }]

[model]
backbone = "unet_small"

[objective]
dice_weight = 1.0
class_weights = [1.0, 2.0]

[optimiser]
name = "adamw"
learning_rate = 3e-3

[schedule]
name = "polynomial"
epochs = 3

[train]
checkpoint_every = 1
log_every = 1

[eval]
select_on = "last"
"#;

const CLASSIFY: &str = r#"seed = 3
device = "cpu"
threads = 1

[data]
dataset = "leaves"
train_per_class = 2
test_per_class = 1
size = 32
batch_size = 5
workers = 1
eval = { batch_size = 5 }

[model]
backbone = "conv4"

[optimiser]
name = "adamw"
learning_rate = 1e-3

[schedule]
name = "constant"
epochs = 1

[eval]
select_on = "last"
"#;

/// A folder with experiments in it; everything else goes beside them.
struct Place(tempfile::TempDir);

// `cfg(test)` tells clippy that it may unwrap.
#[cfg(test)]
impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::write(place.path("segment.toml"), SEGMENT).unwrap();
        std::fs::write(place.path("classify.toml"), CLASSIFY).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mga"));
        command.args(arguments).current_dir(self.0.path()).env("MGA_CACHE", self.path("cache")).stdin(Stdio::null());
        command
    }

    /// Runs to a good end; gives standard output.
    fn mga(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs to a bad end; gives what was said.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        said(&output) + &String::from_utf8_lossy(&output.stdout)
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// The classifier's training loss after its last step.
    fn loss(&self, run: &str) -> f64 {
        let log = std::fs::read_to_string(self.path(run).join("metrics.jsonl")).unwrap();
        let last = log.lines().rfind(|line| line.contains("\"step\"")).unwrap();
        serde_json::from_str::<Value>(last).unwrap()["loss"].as_f64().unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The tensors of a weight file, to the bit.
#[cfg(test)]
fn tensors(path: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = file.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect();
    all.sort();
    all
}

#[test]
fn the_papers_way_from_annotations_to_a_guided_classifier() {
    let place = Place::new();
    let trained = place.mga(&["train", "segment.toml", "--out", "veins", "--quiet"]);
    assert!(trained.contains("mean IoU") && trained.contains("vein"), "{trained}");
    let summary = place.json("veins/summary.json");
    assert_eq!((&summary["status"], &summary["train_images"]), (&"finished".into(), &20.into()));
    let iou = summary["last"]["class_iou"]["vein"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&iou) && place.path("veins/pictures/overview.png").is_file());
    assert_eq!(place.json("veins/images.json").as_array().unwrap().len(), 20);

    // `mga eval` says what the run said.
    let eval: Value = serde_json::from_str(&place.mga(&["eval", "veins"])).unwrap();
    assert_eq!(eval["class_iou"], summary["last"]["class_iou"]);

    // A mask for every image, once.
    let masks = ["masks", "classify.toml", "--weights", "veins", "--out", "masks", "--tile", "20", "--flip"];
    let made = place.mga(&masks);
    assert!(made.contains("30 masks, 30 of them made now") && made.contains("cultivar-00: mean"), "{made}");
    assert!(place.path("masks/train/cultivar-00/0000.png").is_file());
    assert!(place.path("masks/about/contact-sheet.png").is_file());
    let record = place.json("masks/about/record.json");
    assert_eq!(record["segmenter"], "unet_small");
    assert_eq!(record["trained_on"]["images"].as_object().unwrap().len(), 20);
    let mask = place.path("masks/test/cultivar-03/0000.png");
    let bytes = std::fs::read(&mask).unwrap();
    assert!(place.mga(&masks).contains("30 masks, 0 of them made now"));
    std::fs::write(&mask, "damaged").unwrap();
    place.mga(&masks);
    assert_eq!(std::fs::read(&mask).unwrap(), bytes);
    let other = place.refused(&["masks", "classify.toml", "--weights", "veins", "--out", "masks"]);
    assert!(other.contains("other settings"), "{other}");

    // The classifier is guided by them, read from the folder.
    let folder = ["--set", "data.masks.source=folder", "--set", "data.masks.folder=masks"];
    place.mga(&[&["train", "classify.toml", "--out", "guided", "--quiet"], &folder[..]].concat());
    assert_eq!(place.json("guided/summary.json")["masks"]["missing"], 0);
    place.mga(&[&["data", "check", "classify.toml"], &folder[..]].concat());

    // Or made as they are needed, once: the second run only reads, and learns the same.
    let sets = [
        "data.masks.source=unet_small",
        "data.masks.segmenter.weights=file:veins",
        "data.masks.segmenter.tile=20",
        "data.masks.segmenter.overlap=2",
        "data.masks.segmenter.flip=true",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let train = |out: &str| place.mga(&[&["train", "classify.toml", "--out", out, "--quiet"], &sets[..]].concat());
    train("first");
    let cached = cached_files(&place.path("cache/masks"));
    assert_eq!(cached.len(), 30, "{cached:?}");
    let times: Vec<_> = cached.iter().map(|path| path.metadata().unwrap().modified().unwrap()).collect();
    train("second");
    let again: Vec<_> = cached.iter().map(|path| path.metadata().unwrap().modified().unwrap()).collect();
    assert_eq!((times, cached_files(&place.path("cache/masks")).len()), (again, 30));
    assert_eq!(place.loss("first"), place.loss("second"));
    // The masks are those of the folder: the settings are the same.
    assert_eq!(place.loss("first"), place.loss("guided"));
}

#[cfg(test)]
fn cached_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

#[test]
fn a_segmentation_that_is_killed_ends_as_one_left_in_peace() {
    let place = Place::new();
    place.mga(&["train", "segment.toml", "--out", "peace", "--quiet"]);
    let mut run = place.command(&["train", "segment.toml", "--out", "run", "--quiet"]).spawn().unwrap();
    // After the first checkpoint, and long before the twelfth step.
    while !place.path("run/checkpoints/last.safetensors").is_file() && run.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_micros(500));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    place.mga(&["train", "--resume", "run", "--quiet"]);
    let last = "checkpoints/last.safetensors";
    assert_eq!(tensors(&place.path("run").join(last)), tensors(&place.path("peace").join(last)));
    let results = |run: &str| place.json(&format!("{run}/summary.json"))["last"].clone();
    assert_eq!(results("run"), results("peace"));
}

#[test]
fn rules_make_masks_of_folders_and_experiments() {
    let place = Place::new();
    let otsu = ["--set", "data.masks.source=otsu", "--set", "data.masks.segmenter.options={ foreground = \"below\" }"];
    place.mga(&[&["train", "classify.toml", "--out", "otsu", "--quiet"], &otsu[..]].concat());
    assert!(place.json("otsu/summary.json")["last"]["mask_mse"].is_number());
    assert_eq!(cached_files(&place.path("cache/masks")).len(), 30);

    place.mga(&[
        "data",
        "make",
        "--dataset",
        "leaves",
        "--out",
        "leaves",
        "--set",
        "size=24",
        "--set",
        "train_per_class=1",
        "--set",
        "test_per_class=1",
    ]);
    let made = place.mga(&["masks", "leaves/train", "--segmenter", "excess-green", "--out", "green"]);
    assert!(made.contains("10 masks, 10 of them made now"), "{made}");
    assert!(place.path("green/cultivar-09/0000.png").is_file());
    let options = ["--option", "threshold=-0.9", "--out", "all"];
    let made = place.mga(&[&["masks", "leaves/train", "--segmenter", "excess-green"], &options[..]].concat());
    assert!(made.contains("mean 100.0 %"), "{made}");

    let unknown = place.refused(&["masks", "leaves/train", "--segmenter", "otus", "--out", "none"]);
    assert!(unknown.contains("no segmenter is called `otus`") && !place.path("none").exists(), "{unknown}");
    let weights = place.refused(&["masks", "leaves/train", "--segmenter", "unet_small", "--out", "none"]);
    assert!(weights.contains("needs weights"), "{weights}");
    let no_alpha = place.refused(&["masks", "leaves/train", "--segmenter", "alpha", "--out", "none"]);
    assert!(no_alpha.contains("no mask from `alpha`"), "{no_alpha}");
    let occupied = place.refused(&["masks", "leaves/train", "--segmenter", "otsu", "--out", "leaves"]);
    assert!(occupied.contains("not empty"), "{occupied}");
}

const ON_DISK: &str = r#"
[data]
dataset = "image-folder"
root = "leaves"
mask_root = "masks"
eval = { batch_size = 5 }
[data.masks]
source = "folder"
[model]
backbone = "conv4"
[eval]
select_on = "last"
"#;

#[test]
fn the_check_finds_test_images_that_the_segmenter_was_trained_on() {
    let place = Place::new();
    place.mga(&[
        "data",
        "make",
        "--dataset",
        "leaves",
        "--out",
        "leaves",
        "--set",
        "size=24",
        "--set",
        "train_per_class=2",
        "--set",
        "test_per_class=1",
    ]);
    std::fs::write(place.path("disk.toml"), ON_DISK).unwrap();
    // The segmenter is trained on a picture that the classifier is then tested on.
    let train = [
        "train",
        "segment.toml",
        "--out",
        "veins",
        "--quiet",
        "--set",
        "data.size=24",
        "--set",
        "schedule.epochs=1",
        "--set",
        "data.train.transforms=[]",
    ];
    place.mga(&train);
    let test = place.path("leaves/test/cultivar-04/0000.png");
    std::fs::copy(place.path("leaves/train/cultivar-04/0001.png"), &test).unwrap();
    std::fs::remove_file(place.path("leaves/train/cultivar-04/0001.png")).unwrap();
    std::fs::remove_dir_all(place.path("leaves/masks")).unwrap();
    std::fs::create_dir(place.path("leaves/masks")).unwrap();
    place.mga(&["masks", "disk.toml", "--weights", "veins", "--out", "leaves/masks"]);
    let report = place.refused(&["data", "check", "disk.toml"]);
    assert!(report.contains("1 test images were among the 20 images that the segmenter"), "{report}");
    assert!(report.contains("test/cultivar-04/0000.png"), "{report}");
}

#[test]
fn settings_that_do_not_go_together_are_found_before_anything_runs() {
    let place = Place::new();
    let refused = |file: &str, set: &[&str]| {
        let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
        place.refused(&[&["check", file], &set[..]].concat())
    };
    let cases: [(&str, &[&str], &str); 9] = [
        ("segment.toml", &["model.backbone=conv4"], "classifies images"),
        ("segment.toml", &["model.attention=residual"], "belongs to task = \"classification\""),
        ("segment.toml", &["eval.metric=top1"], "mean_iou"),
        ("segment.toml", &["objective.class_weights=[1.0]"], "1 weights for the 2 classes"),
        (
            "segment.toml",
            &["data.annotations.classes=[\"a\", \"b\", \"c\"]", "objective.class_weights=[1, 1, 1]"],
            "two classes",
        ),
        ("classify.toml", &["model.backbone=unet_small"], "task = \"segmentation\""),
        ("classify.toml", &["data.masks.source=unet_small"], "needs its weights"),
        ("classify.toml", &["data.masks.folder=x"], "data.masks.source"),
        ("classify.toml", &["data.masks.source=otsu", "data.masks.segmenter.options={ off = 1 }"], "off"),
    ];
    for (file, set, part) in cases {
        let message = refused(file, set);
        assert!(message.contains(part), "{set:?}: {message}");
    }
    let annotations = place.mga(&["check", "segment.toml"]);
    assert!(
        annotations.contains("% of the annotated training pixels") && annotations.contains("unet_small"),
        "{annotations}"
    );
}
