//! From annotated images to masks to a classifier, with the real program on a few drawn leaves.

use mga_testing::files::{below, tensors};
use mga_testing::place::Place;
use mga_testing::process::Started;
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
fn place() -> Place {
    let place = super::place();
    place.write("segment.toml", SEGMENT);
    place.write("classify.toml", CLASSIFY);
    place
}

/// The classifier's training loss after its last step.
fn loss(place: &Place, run: &str) -> f64 {
    let log = place.read(&format!("{run}/metrics.jsonl"));
    let last = log.lines().rfind(|line| line.contains("\"kind\":\"step\"")).unwrap();
    serde_json::from_str::<Value>(last).unwrap()["loss"].as_f64().unwrap()
}

#[test]
fn the_papers_way_from_annotations_to_a_guided_classifier() {
    let place = place();
    let trained = place.done(&["train", "segment.toml", "--out", "veins", "--quiet"]);
    assert!(trained.contains("mean IoU") && trained.contains("vein"), "{trained}");
    let summary = place.json("veins/summary.json");
    assert_eq!((&summary["status"], &summary["train_images"]), (&"finished".into(), &20.into()));
    let iou = summary["last"]["class_iou"]["vein"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&iou) && place.path("veins/pictures/overview.png").is_file());
    assert_eq!(place.json("veins/images.json").as_array().unwrap().len(), 20);

    // `mga eval` says what the run said.
    let eval: Value = serde_json::from_str(&place.done(&["eval", "veins"])).unwrap();
    assert_eq!(eval["class_iou"], summary["last"]["class_iou"]);

    // A mask for every image, once.
    let masks = ["masks", "classify.toml", "--weights", "veins", "--out", "masks", "--tile", "20", "--flip"];
    let made = place.done(&masks);
    assert!(made.contains("30 masks, 30 of them made now") && made.contains("cultivar-00: mean"), "{made}");
    assert!(place.path("masks/train/cultivar-00/0000.png").is_file());
    assert!(place.path("masks/about/contact-sheet.png").is_file());
    let record = place.json("masks/about/record.json");
    assert_eq!(record["segmenter"], "unet_small");
    assert_eq!(record["trained_on"]["images"].as_object().unwrap().len(), 20);
    let mask = place.path("masks/test/cultivar-03/0000.png");
    let bytes = std::fs::read(&mask).unwrap();
    assert!(place.done(&masks).contains("30 masks, 0 of them made now"));
    std::fs::write(&mask, "damaged").unwrap();
    place.done(&masks);
    assert_eq!(std::fs::read(&mask).unwrap(), bytes);
    let other = place.refused(&["masks", "classify.toml", "--weights", "veins", "--out", "masks"]).0;
    assert!(other.contains("other settings"), "{other}");

    // The classifier is guided by them, read from the folder.
    let folder = ["--set", "data.masks.source=folder", "--set", "data.masks.folder=masks"];
    place.done(&[&["train", "classify.toml", "--out", "guided", "--quiet"], &folder[..]].concat());
    assert_eq!(place.json("guided/summary.json")["masks"]["missing"], 0);
    place.done(&[&["data", "check", "classify.toml"], &folder[..]].concat());

    // Or made as they are needed, once: the second run only reads, and learns the same.
    let sets = [
        "data.masks.source=unet_small",
        "data.masks.segmenter.weights=file:veins",
        "data.masks.segmenter.tile=20",
        "data.masks.segmenter.overlap=2",
        "data.masks.segmenter.flip=true",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let train = |out: &str| place.done(&[&["train", "classify.toml", "--out", out, "--quiet"], &sets[..]].concat());
    train("first");
    let cached = below(&place.path("cache/masks"));
    assert_eq!(cached.len(), 30, "{cached:?}");
    let times: Vec<_> = cached.iter().map(|path| path.metadata().unwrap().modified().unwrap()).collect();
    train("second");
    let again: Vec<_> = cached.iter().map(|path| path.metadata().unwrap().modified().unwrap()).collect();
    assert_eq!((times, below(&place.path("cache/masks")).len()), (again, 30));
    assert_eq!(loss(&place, "first"), loss(&place, "second"));
    // The masks are those of the folder: the settings are the same.
    assert_eq!(loss(&place, "first"), loss(&place, "guided"));
}

#[test]
fn a_segmentation_that_is_killed_ends_as_one_left_in_peace() {
    let place = place();
    place.done(&["train", "segment.toml", "--out", "peace", "--quiet"]);
    let mut run = Started::new(place.mga(["train", "segment.toml", "--out", "run", "--quiet"]));
    // After the first checkpoint, of twelve.
    assert!(run.until_file(&place.path("run/checkpoints/last.safetensors")), "it ends before it is killed");
    run.kill();
    place.done(&["train", "--resume", "run", "--quiet"]);
    let last = "checkpoints/last.safetensors";
    assert_eq!(tensors(&place.path("run").join(last)), tensors(&place.path("peace").join(last)));
    let results = |run: &str| place.json(&format!("{run}/summary.json"))["last"].clone();
    assert_eq!(results("run"), results("peace"));
}

#[test]
fn rules_make_masks_of_folders_and_experiments() {
    let place = place();
    let otsu = ["--set", "data.masks.source=otsu", "--set", "data.masks.segmenter.options={ foreground = \"below\" }"];
    place.done(&[&["train", "classify.toml", "--out", "otsu", "--quiet"], &otsu[..]].concat());
    assert!(place.json("otsu/summary.json")["last"]["mask_mse"].is_number());
    assert_eq!(below(&place.path("cache/masks")).len(), 30);

    place.make_leaves("leaves", 24, 1, 1);
    let made = place.done(&["masks", "leaves/train", "--segmenter", "excess-green", "--out", "green"]);
    assert!(made.contains("10 masks, 10 of them made now"), "{made}");
    assert!(place.path("green/cultivar-09/0000.png").is_file());
    let options = ["--option", "threshold=-0.9", "--out", "all"];
    let made = place.done(&[&["masks", "leaves/train", "--segmenter", "excess-green"], &options[..]].concat());
    assert!(made.contains("mean 100.0 %"), "{made}");

    let unknown = place.refused(&["masks", "leaves/train", "--segmenter", "otus", "--out", "none"]).0;
    assert!(unknown.contains("no segmenter is called `otus`") && !place.path("none").exists(), "{unknown}");
    let option =
        place.refused(&["masks", "leaves/train", "--segmenter", "otsu", "--option", "off=1", "--out", "none"]).0;
    assert!(option.contains("--option off: "), "{option}");
    let weights = place.refused(&["masks", "leaves/train", "--segmenter", "unet_small", "--out", "none"]).0;
    assert!(weights.contains("needs weights"), "{weights}");
    let no_alpha = place.refused(&["masks", "leaves/train", "--segmenter", "alpha", "--out", "none"]).0;
    assert!(no_alpha.contains("no mask from `alpha`"), "{no_alpha}");
    let occupied = place.refused(&["masks", "leaves/train", "--segmenter", "otsu", "--out", "leaves"]).0;
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
    let place = place();
    place.make_leaves("leaves", 24, 2, 1);
    place.write("disk.toml", ON_DISK);
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
    place.done(&train);
    let test = place.path("leaves/test/cultivar-04/0000.png");
    std::fs::copy(place.path("leaves/train/cultivar-04/0001.png"), &test).unwrap();
    std::fs::remove_file(place.path("leaves/train/cultivar-04/0001.png")).unwrap();
    std::fs::remove_dir_all(place.path("leaves/masks")).unwrap();
    std::fs::create_dir(place.path("leaves/masks")).unwrap();
    place.done(&["masks", "disk.toml", "--weights", "veins", "--out", "leaves/masks"]);
    let report = place.refused(&["data", "check", "disk.toml"]).0;
    assert!(report.contains("1 test image among the 20 images that the segmenter"), "{report}");
    assert!(report.contains("test/cultivar-04/0000.png"), "{report}");
}

#[test]
fn settings_that_do_not_go_together_are_found_before_anything_runs() {
    let place = place();
    let refused = |file: &str, set: &[&str]| {
        let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
        place.refused(&[&["check", file], &set[..]].concat()).0
    };
    let cases: [(&str, &[&str], &str); 15] = [
        ("segment.toml", &["model.backbone=conv4"], "classifies images"),
        ("segment.toml", &["model.attention=residual"], "belongs to task = \"classification\""),
        ("segment.toml", &["eval.metric=top1"], "mean_iou"),
        (
            "segment.toml",
            &["objective.name=focal"],
            "objective.name: unknown name `focal`; registered objectives of seg",
        ),
        (
            "segment.toml",
            &["objective={ name = \"dice\", dice_weight = 0.5 }"],
            "objective.dice_weight: does nothing here",
        ),
        (
            "segment.toml",
            &["objective={ name = \"dice\", class_weights = [1.0, 2.0] }"],
            "objective.class_weights: does nothing here",
        ),
        ("classify.toml", &["objective.name=dice"], "objective.name: unknown name `dice`; registered objectives: "),
        ("segment.toml", &["objective.class_weights=[1.0]"], "1 weights for the 2 classes"),
        (
            "segment.toml",
            &["data.annotations.classes=[\"a\", \"b\", \"c\"]", "objective.class_weights=[1, 1, 1]"],
            "two classes",
        ),
        ("classify.toml", &["model.backbone=unet_small"], "task = \"segmentation\""),
        ("classify.toml", &["data.masks.source=unet_small"], "needs its weights"),
        ("classify.toml", &["data.masks.folder=x"], "data.masks.source"),
        (
            "classify.toml",
            &["data.masks.source=otsu", "data.masks.segmenter.options={ foregroud = \"below\" }"],
            "data.masks.segmenter.options.foregroud: unknown key, did you mean `foreground`?",
        ),
        (
            "classify.toml",
            &["data.masks.source=inverted", "data.masks.of=otsu", "data.masks.segmenter.options={ of = \"hue\" }"],
            "data.masks.segmenter.options.of: unknown name `hue`; expected `luminance` or `saturation`",
        ),
        (
            "classify.toml",
            &["eval.reference_masks={ source = \"excess-green\", segmenter = { options = { threshold = \"x\" } } }"],
            "eval.reference_masks.segmenter.options.threshold: expected a number",
        ),
    ];
    for (file, set, part) in cases {
        let message = refused(file, set);
        assert!(message.contains(part), "{set:?}: {message}");
    }
    let annotations = place.done(&["check", "segment.toml"]);
    assert!(
        annotations.contains("% of the annotated training pixels") && annotations.contains("unet_small"),
        "{annotations}"
    );
}
