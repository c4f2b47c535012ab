//! What passes `mga check` trains: experiments drawn at random over tiny images, some of them odd.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Parser;
use image::{GrayImage, Luma, Rgb, RgbImage};
use mga_cli::Cli;
use mga_core::random::Generator;
use mga_experiment::Components;

/// Experiments drawn at most, and for how long.
const DRAWN: u64 = 60;
const LIMIT: Duration = Duration::from_secs(20);

/// `images` of one size and `mixed` of many, `single` of one class, `untested` without test images; `masks` for most, and
/// `labels`, of which a test image's does not fit.
fn pictures(folder: &Path) {
    for root in ["images", "mixed", "single", "untested"] {
        for part in ["train", "test"].iter().take(if root == "untested" { 1 } else { 2 }) {
            for class in ["a", "b", "c"].iter().take(if root == "single" { 1 } else { 3 }) {
                let place = Path::new(part).join(class);
                for tree in [root, "masks", "labels"] {
                    std::fs::create_dir_all(folder.join(tree).join(&place)).unwrap();
                }
                for index in 0..3u32 {
                    let (width, height) = if root == "mixed" { (6 + 7 * index, 20 - 5 * index) } else { (16, 12) };
                    let name = place.join(format!("{index}.png"));
                    let picture = RgbImage::from_fn(width, height, |x, y| {
                        Rgb([(x * 15) as u8, (y * 12) as u8, (index * 60) as u8])
                    });
                    picture.save(folder.join(root).join(&name)).unwrap();
                    if root == "images" {
                        if !(*part == "train" && *class == "c" && index == 2) {
                            let mask = GrayImage::from_fn(width, height, |x, _| Luma([if x < 8 { 255 } else { 0 }]));
                            mask.save(folder.join("masks").join(&name)).unwrap();
                        }
                        let wrong = *part == "test" && *class == "c" && index == 2;
                        let label =
                            GrayImage::from_fn(width, if wrong { 3 } else { height }, |x, _| Luma([(x % 2) as u8]));
                        label.save(folder.join("labels").join(&name)).unwrap();
                    }
                }
            }
        }
    }
}

/// Draws what an experiment says, with a few oddities at most: what is odd in many ways is always refused.
struct Draw {
    generator: Generator,
    oddities: usize,
}

impl Draw {
    fn new(seed: u64) -> Self {
        let mut generator = Generator::new(seed, "drawn experiments", &[]);
        let oddities = generator.below(4);
        Self { generator, oddities }
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.generator.below(n) == 0
    }

    /// Whether something odd stands here.
    fn odd(&mut self) -> bool {
        let odd = self.oddities > 0 && self.one_in(6);
        self.oddities -= usize::from(odd);
        odd
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.generator.below(choices.len())]
    }

    /// One of the lines, or, rarely, one of the odd ones.
    fn line<'a>(&mut self, lines: &[&'a str], odd: &[&'a str]) -> String {
        let from = if self.odd() { odd } else { lines };
        self.of(from).to_owned()
    }

    fn transforms(&mut self, crop: &str) -> String {
        let mut list = vec![];
        if self.one_in(3) {
            list.push(format!("{{ op = \"{}\" }}", self.of(&["horizontal-flip", "vertical-flip", "random-erase"])));
        }
        if !self.odd() {
            let op = self.line(&[crop, crop, "resize"], &["shorter-side"]);
            list.push(format!("{{ op = \"{op}\", size = {} }}", self.line(&["16", "18"], &["12", "1"])));
        }
        format!("[{}]", list.join(", "))
    }

    fn data(&mut self, segments: bool, leaves: bool) -> Vec<String> {
        let mut lines = vec![];
        if leaves {
            lines.push("data.dataset = 'leaves'\ndata.size = 20\ndata.train_per_class = 2".to_owned());
            lines.push(format!("data.test_per_class = {}", self.line(&["1"], &["0"])));
            if segments {
                lines.push("data.annotations.classes = ['background', 'vein']".to_owned());
            }
        } else {
            let root = self.line(&["images"], &["mixed", "single", "untested"]);
            lines.push(format!("data.dataset = 'image-folder'\ndata.root = 'ROOT/{root}'"));
            if root != "mixed" {
                lines.push("data.mask_root = '../masks'".to_owned());
            }
            if segments {
                let kind = "source = 'index-png', root = 'ROOT/labels', classes = ['x', 'y']";
                lines.push(format!("data.annotations = {{ {kind} }}"));
                lines.push(self.line(&["data.on_error = 'skip'"], &[""]));
            }
        }
        lines.push(format!("data.batch_size = {}", self.line(&["2", "3", "4", "5"], &["1", "30"])));
        lines.push(format!("data.drop_last = {}", self.one_in(3)));
        lines.push(format!("data.shuffle = {}", !self.one_in(4)));
        lines.push(format!("data.train.transforms = {}", self.transforms("random-crop")));
        lines.push(format!("data.eval.transforms = {}", self.transforms("centre-crop")));
        lines.push(format!("data.eval.batch_size = {}", 1 + self.generator.below(3)));
        let selected = "data.validation.per_class = 1\neval.select_on = 'validation'";
        let test = ["eval.select_on = 'test'", "eval.select_on = 'validation'", "data.validation.seed = 3"];
        lines.push(self.line(&["eval.select_on = 'last'", selected, "data.validation.fraction = 0.3"], &test));
        lines
    }

    fn experiment(&mut self) -> String {
        let (segments, leaves) = (self.one_in(4), self.one_in(2));
        let mut lines = vec!["device = 'cpu'\nthreads = 1\nschedule.epochs = 1\ntrain.log_every = 1".to_owned()];
        lines.push(format!("seed = {}", self.generator.below(100)));
        lines.extend(self.data(segments, leaves));
        lines.push(
            self.line(&["", "optimiser.name = 'adamw'", "optimiser.learning_rate = 0.01"], &["model.strict = false"]),
        );
        if segments {
            lines.push("task = 'segmentation'\nmodel.backbone = 'unet_small'".to_owned());
            lines.push(self.line(&["", "objective.dice_weight = 1.0"], &["objective.label_smoothing = 0.1"]));
            let weights = ["", "objective.class_weights = 'balanced'", "objective.class_weights = [1, 2]"];
            lines.push(self.line(&weights, &["objective.class_weights = [1]"]));
            return lines.join("\n");
        }
        lines.push(format!("model.backbone = '{}'", self.of(&["conv4", "conv4", "conv4", "conv4", "resnet18"])));
        let attention = self.of(&["none", "multiply", "residual", "concat", "cbam-spatial"]);
        lines.push(format!("model.attention = '{attention}'"));
        let guided = self.one_in(2);
        lines.push(format!("model.mask_guidance = {guided}"));
        let rates = ["attention", "fc", "no.such.layer"]
            .map(|layer| format!("optimiser.learning_rates = {{ '{layer}' = 0.001 }}"));
        lines.push(self.line(&[""], &rates.each_ref().map(String::as_str)));
        lines.push(self.line(&[""], &["model.input = 'image-and-mask'", "model.input = 'masked-image'"]));
        let own = if leaves { "data.masks.source = 'veins'" } else { "data.masks.source = 'folder'" };
        let controls = ["ones", "shuffled", "inverted", "centre", "silhouette", "otsu"]
            .map(|s| format!("data.masks.source = '{s}'"));
        let controls = [controls.each_ref().map(String::as_str).as_slice(), &["", own, own]].concat();
        lines.push(self.line(&controls, &["data.masks.source = 'none'", "data.masks.of = 'folder'"]));
        let missing = if guided && !leaves { "data.masks.missing = 'no-loss'" } else { "" };
        lines.push(self.line(&[missing], &["", "data.masks.empty = 'skip'"]));
        lines.push(self.line(&[""], &["model.freeze_through = 'block2'", "model.freeze_through = 'layer1'"]));
        lines.push(self.line(&["", "objective.label_smoothing = 0.1"], &["objective.dice_weight = 0.5"]));
        lines.push(self.line(&["", "objective.class_weights = 'balanced'"], &["objective.class_weights = [1, 2, 3]"]));
        lines.push(self.line(&["", "eval.metric = 'top5'", "eval.metric = 'macro_f1'"], &["eval.metric = 'mean_iou'"]));
        lines.push(self.line(&["", "train.accumulate = 2"], &["train.early_stopping = 1"]));
        lines.join("\n")
    }
}

fn mga(components: &Components, arguments: &[&Path]) -> Result<(), String> {
    let cli = Cli::try_parse_from([Path::new("mga")].iter().chain(arguments)).unwrap();
    cli.run(components).map_err(|error| format!("{error:#}"))
}

#[test]
fn what_passes_check_trains_and_what_does_not_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let components = mga_train::builtin().offline();
    let begun = Instant::now();
    let (mut passed, mut refused) = (0, 0);
    for seed in 0..DRAWN {
        if begun.elapsed() > LIMIT && passed >= 3 && refused >= 3 {
            break;
        }
        let text = Draw::new(seed).experiment();
        let text = text.replace("ROOT", &folder.path().display().to_string());
        let (file, run) = (folder.path().join("drawn.toml"), folder.path().join(format!("run-{seed}")));
        std::fs::write(&file, &text).unwrap();
        let checked = mga(&components, &["check".as_ref(), &file]);
        let trained = mga(&components, &["train".as_ref(), &file, "--out".as_ref(), &run, "--quiet".as_ref()]);
        match checked {
            Ok(()) => {
                passed += 1;
                assert!(trained.is_ok(), "draw {seed} passed check, and then: {}\n{text}", trained.unwrap_err());
                assert!(run.join("summary.json").is_file());
            }
            Err(error) => {
                refused += 1;
                assert!(trained.is_err(), "draw {seed} trains, though check says: {error}\n{text}");
                assert!(!run.exists(), "draw {seed} left a folder: {error}\n{text}");
            }
        }
    }
    assert!(passed >= 3 && refused >= 3, "{passed} passed, {refused} were refused");
}

/// A sound experiment on `images`, over which the cases below are laid.
const SOUND: &str = "device = 'cpu'\nthreads = 1\nschedule.epochs = 1\neval.select_on = 'last'\ndata.dataset = 'image-folder'\n\
                     data.root = 'ROOT/images'\ndata.mask_root = '../masks'\ndata.masks.missing = 'no-loss'\n\
                     data.train.transforms = [{ op = 'random-crop', size = 16 }]\n\
                     data.eval.transforms = [{ op = 'centre-crop', size = 16 }]\nmodel.backbone = 'conv4'\n";

/// What training came to only in the middle of a run, each with what is said of it.
#[test]
fn check_says_what_training_would_come_to() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let root = folder.path().display().to_string();
    let components = mga_train::builtin().offline();
    let annotated = [
        "task='segmentation'",
        "model.backbone='unet_small'",
        "data.annotations={ source = 'index-png', root = 'ROOT/labels', classes = ['x', 'y'] }",
    ];
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &[]),
        (
            &["optimiser.learning_rates={ 'classifier' = 0.1, 'layer9' = 0.1 }"],
            &["optimiser.learning_rates", "layer9", "`classifier`"],
        ),
        (
            &["data.eval.transforms=[{ op = 'centre-crop', size = 4 }]"],
            &["data.eval.transforms", "as small as 4 x 4 (`test/a/0.png`), which conv4 cannot take"],
        ),
        (
            &[
                "data.root='ROOT/mixed'",
                "data.check_files=false",
                "data.eval.transforms=[]",
                "data.masks.source='ones'",
            ],
            &["data.eval.transforms", "as small as 20 x 10 (`test/a/2.png`)"],
        ),
        (
            &[
                "data.root='ROOT/mixed'",
                "data.check_files=false",
                "data.train.transforms=[]",
                "data.batch_size=2",
                "data.masks.source='ones'",
            ],
            &["data.train.transforms", "images of one batch differ in size", "6 x 20", "13 x 15"],
        ),
        // 9 images in batches of 4; the gate's batch norm sees a map of one pixel.
        (
            &["model.attention='cbam-spatial'", "data.batch_size=4"],
            &[
                "data.drop_last",
                "a single image (9 training images in batches of 4)",
                "one number a channel",
                "data.drop_last = true",
            ],
        ),
        (&["model.attention='cbam-spatial'", "data.batch_size=1"], &["data.batch_size", "expected at least 2"]),
        (&["model.attention='cbam-spatial'", "data.batch_size=4", "data.drop_last=true"], &[]),
        (
            &["data.drop_last=true", "data.batch_size=10"],
            &["data.drop_last", "leaves no batch: there are 9 training images"],
        ),
        (&["data.root='ROOT/single'", "data.masks.source='ones'"], &["data.root", "one class only, `a`"]),
        (
            &["data.root='ROOT/untested'", "data.masks.source='ones'", "eval.select_on='test'"],
            &["eval.select_on", "no test images"],
        ),
        (
            &["data.masks.missing='error'"],
            &[
                "data.masks",
                "1 of 9 training images have no mask; the first, train/c/2.png, has no mask from source `folder`",
                "no-loss",
            ],
        ),
        (&["objective.class_weights=[1, 2]"], &["objective.class_weights", "2 weights for 3 classes", "a, b, c"]),
        (&["objective.class_weights=[0, 0, 0]"], &["objective.class_weights", "all are 0"]),
        (&["objective.class_weights='balanced'"], &[]),
        (&annotated, &["cannot be used", "labels/test/c/2.png", "16 x 3", "data.on_error"]),
    ];
    let file = folder.path().join("x.toml");
    std::fs::write(&file, SOUND.replace("ROOT", &root)).unwrap();
    for (number, (set, parts)) in cases.iter().enumerate() {
        let set: Vec<String> = set.iter().map(|set| set.replace("ROOT", &root)).collect();
        let set: Vec<&Path> = set.iter().flat_map(|set| ["--set".as_ref(), set.as_ref()]).collect();
        let run = folder.path().join(format!("run-{number}"));
        let checked = mga(&components, &[&["check".as_ref(), file.as_path()], &set[..]].concat());
        let words: [&Path; 5] = ["train".as_ref(), &file, "--quiet".as_ref(), "--out".as_ref(), &run];
        let trained = mga(&components, &[&words[..], &set[..]].concat());
        // Files that cannot be used are counted in other words by the two.
        for outcome in [checked, trained] {
            assert_eq!((outcome.is_ok(), run.exists()), (parts.is_empty(), parts.is_empty()), "{set:?}: {outcome:?}");
            let said = outcome.err().unwrap_or_default();
            parts.iter().for_each(|part| assert!(said.contains(part), "no `{part}` in: {said}"));
            assert!(!said.contains("freeze_through"), "{said}");
        }
    }
}
