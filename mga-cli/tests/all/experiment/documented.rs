//! Every recipe of the documentation runs: experiments and fragments of them over a few tiny images, sweeps as plans, and
//! the commands of the blocks as they stand. A new block or command runs without being named here, or is listed with what
//! it lacks, or with the reason why it cannot run.

use std::path::Path;
use std::process::Output;

use clap::{CommandFactory, Parser};
use image::{GrayImage, Luma, Rgba, RgbaImage};
use mga_cli::Cli;
use mga_testing::place::Place;

use super::markdown::{Block, Command, blocks, commands, inline_commands, pages};

/// How a block of TOML is run.
enum Way {
    /// `check` and `train`, with these settings in place of what is too large here.
    Train(&'static [&'static str]),
    /// `sweep --dry-run`, with these lines before it.
    Plan(&'static str),
    /// Not at all: the reason.
    Not(&'static str),
}

/// Networks of these tests: without a download, and quick.
const SMALL: &[&str] = &["model.backbone=conv4", "model.weights=none"];

/// Blocks that lack something: page, a line of the block, and what to do. Others are fragments of an experiment that lack
/// nothing but a data set, or whole sweeps.
const BLOCKS: &[(&str, &str, Way)] = &[
    ("experiments/README.md", "extends = [\"base/mga.toml\"]", Way::Train(SMALL)),
    (
        "docs/masks.md",
        "source = \"deeplabv3_resnet50\"",
        Way::Train(&[
            "data.masks.source=unet_small",
            "data.masks.segmenter.weights=file:runs/veins",
            "data.masks.segmenter.foreground=[1]",
        ]),
    ),
    ("docs/masks.md", "mask_layout = \"flat\"", Way::Train(&["data.root=data/few", "data.mask_root=../flat_masks"])),
    ("docs/masks.md", "ignore = [3]", Way::Train(&["data.masks.folder=data/trimaps"])),
    ("docs/method.md", "[eval.reference_masks]", Way::Train(&["eval.reference_masks.folder=data/my_masks"])),
    ("docs/masks.md", "task = \"segmentation\"", Way::Train(&["model.backbone=unet_small", "model.weights=none"])),
    ("docs/sweeps.md", "search = \"tpe\"", Way::Plan("base = \"../mga/soybean_2_1.toml\"\n")),
    ("docs/slurm.md", "[launcher]", Way::Plan("base = \"../mga/soybean_2_1.toml\"\naxes.seed = [1]\n")),
    ("docs/runs.md", "[stages.test.data]", Way::Not("no task here has stages; examples/own has one, with its tests")),
    ("docs/weights.md", "weights = \"imagenet\"", Way::Train(SMALL)),
    ("docs/weights.md", "dataset = \"hub\"", Way::Not("needs the hub; mga-data/src/datasets/hub has its tests")),
];

/// Commands that cannot run here: page, words that they begin with or hold, and the reason. They are parsed all the same.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("docs/masks.md", "nvidia/segformer", "needs the hub"),
    ("docs/slurm.md", "--launcher slurm", "needs a cluster; tests/all/sweep/slurm.rs has a stand-in"),
    ("docs/performance.md", "--check check.safetensors", "needs PyTorch's numbers"),
    ("docs/few-shot.md", "five", "needs Omniglot"),
    ("docs/example.md", "photographs", "runs in tests/all/experiment/example.rs"),
    ("docs/your-data.md", "photographs", "the commands of README.md, which run"),
];

/// What the pages call things, and what they are here. Words, in capitals, that stand for something.
const NAMES: &[(&str, &str)] = &[
    ("EXPERIMENT", "my.toml"),
    ("FILE", "attention.toml"),
    ("FOLDER", "data/my_leaves/train"),
    ("RUN", "runs/first"),
    ("SWEEP", "runs/attention"),
    ("DIR", "runs/attention"),
];

/// Over 16 x 16 pixels, an epoch of a few batches.
const TINY: &[&str] = &[
    "device=cpu",
    "threads=1",
    "schedule.epochs=1",
    "data.batch_size=4",
    "data.train.transforms=[{ op = \"random-crop\", size = 16 }]",
    "data.eval.transforms=[{ op = \"centre-crop\", size = 16 }]",
];

const MY: &str = "task = \"classification\"\ndevice = \"cpu\"\nthreads = 1\n[data]\ndataset = \"image-folder\"\n\
                  root = \"data/my_leaves\"\nmask_root = \"../my_masks\"\nbatch_size = 8\n[data.masks]\nsource = \"folder\"\n\
                  [model]\nbackbone = \"conv4\"\n[schedule]\nepochs = 1\n";

const SOYBEAN: &str = "task = \"classification\"\ndevice = \"cpu\"\nthreads = 1\n[data]\ndataset = \"leaves\"\n\
                       train_per_class = 2\ntest_per_class = 1\nsize = 16\nbatch_size = 10\n[data.validation]\n\
                       per_class = 1\n[model]\nbackbone = \"conv4\"\n[schedule]\nepochs = 1\n";

/// A folder with all that the pages speak of.
struct World(Place);

impl World {
    fn new() -> Self {
        let world = Self(crate::place());
        for (tree, parts) in [("my_leaves", &["train", "val", "test"][..]), ("leaves", &["train", "val", "test"])] {
            let places = parts.iter().flat_map(|part| ["a", "b"].map(|class| (part, class)));
            for (number, (part, class)) in (0u32..).zip(places) {
                for index in 0..6u32 {
                    let blue = 40 * number + 6 * index;
                    world.image(&format!("data/{tree}/{part}/{class}/{index}.png"), blue);
                    world.mask(&format!("data/my_masks/{part}/{class}/{index}.png"));
                    // In one folder of masks, every name is there once.
                    world.image(&format!("data/few/{part}/{class}/{part}{class}{index}.png"), blue);
                    world.mask(&format!("data/flat_masks/{part}{class}{index}_segmentation.png"));
                    let trimap = GrayImage::from_fn(16, 16, |x, _| Luma([1 + (x / 6) as u8]));
                    trimap.save(world.path(&format!("data/trimaps/{part}/{class}/{index}.png"))).unwrap();
                    let shape = |label: &str, x: u32| {
                        format!(
                            "{{\"label\": \"{label}\", \"shape_type\": \"rectangle\", \"points\": [[0, 0], [{x}, 15]]}}"
                        )
                    };
                    let json = format!(
                        "{{\"imageWidth\": 16, \"imageHeight\": 16, \"shapes\": [{}, {}]}}",
                        shape("annotated", 15),
                        shape("vein", 5)
                    );
                    world.write(&format!("data/annotations/{part}/{class}/{index}.json"), &json);
                }
            }
        }
        for (class, index) in ["oak", "ash"].iter().flat_map(|class| (0..12u32).map(move |index| (class, index))) {
            let name = format!("{class}/p{}_{}.png", index / 2, index % 2);
            world.image(&format!("photographs/images/{name}"), 10 * index + u32::from(*class == "oak"));
            world.mask(&format!("photographs/masks/{name}"));
        }
        let mut table = "file,label,plant,mask\n".to_owned();
        for (part, class) in ["train", "val", "test"].iter().flat_map(|part| ["a", "b"].map(|class| (part, class))) {
            let row = |i: u32| {
                let plant = i / 2;
                format!("{part}/{class}/{i}.png,{class},{part}-{class}-{plant},../my_masks/{part}/{class}/{i}.png\n")
            };
            table.extend((0..6).map(row));
        }
        world.write("data/my_leaves/leaves.csv", &table);
        let experiments = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments");
        let base = std::fs::read_to_string(experiments.join("base/mga.toml")).unwrap();
        world.write("experiments/base/mga.toml", &base);
        world.write("experiments/mga/soybean_2_1.toml", SOYBEAN);
        world.write("experiments/quickstart.toml", SOYBEAN);
        let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mga-models/tests/data/people/averages.pth");
        std::fs::copy(checkpoint, world.path("checkpoint.pth")).unwrap();
        world.write("my.toml", MY);
        world.write("experiments/around.toml", MY);
        world
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        let path = self.0.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn image(&self, name: &str, blue: u32) {
        let pixel = |x: u32, y: u32| Rgba([(x * 15) as u8, (y * 15) as u8, blue as u8, if x < 8 { 255 } else { 9 }]);
        RgbaImage::from_fn(16, 16, pixel).save(self.path(name)).unwrap();
    }

    fn mask(&self, name: &str) {
        GrayImage::from_fn(16, 16, |x, _| Luma([if x < 8 { 255 } else { 0 }])).save(self.path(name)).unwrap();
    }

    fn mga(&self, words: &[&str], variables: &[(String, String)]) -> Output {
        let mut process = self.0.mga(words);
        process.envs(variables.iter().cloned()).env("HF_HUB_OFFLINE", "1").output().unwrap()
    }

    fn succeeds(&self, what: &str, words: &[&str], variables: &[(String, String)]) {
        let output = self.mga(words, variables);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{what}: mga {}: {said}\nMake it run, or say in tests/all/experiment/documented.rs what it lacks.",
            words.join(" ")
        );
    }
}

fn is_sweep(text: &str) -> bool {
    let sweeps = ["base", "axes", "variants", "linked", "search", "ranges", "launcher"];
    let table = text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{error}\n{text}"));
    table.keys().any(|key| sweeps.contains(&key.as_str()))
}

fn run(world: &World, block: &Block, number: usize) {
    let what = format!("{}:{}", block.page, block.line);
    let listed = BLOCKS.iter().find(|(page, part, _)| *page == block.page && block.text.contains(part));
    let way = match listed {
        Some((_, _, way)) => way,
        None if is_sweep(&block.text) => &Way::Plan(""),
        None => &Way::Train(&[]),
    };
    match way {
        Way::Not(reason) => {
            block.text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(!reason.is_empty());
        }
        Way::Plan(before) => {
            let file = format!("experiments/recipes/{number}.toml");
            world.write(&file, &format!("{before}{}", block.text));
            world.write("experiments/recipes/my.toml", SOYBEAN);
            world.succeeds(&what, &["sweep", &file, "--out", "runs/planned", "--dry-run"], &[]);
        }
        Way::Train(set) => {
            let file = format!("experiments/recipe-{number}.toml");
            let whole = block.text.lines().any(|line| line.starts_with("extends =") || line.starts_with("task ="));
            let around = if whole { "" } else { "extends = \"around.toml\"\n" };
            world.write(&file, &format!("{around}{}", block.text));
            let set = TINY.iter().chain(*set).flat_map(|set| ["--set", set]);
            let words: Vec<&str> = [file.as_str()].into_iter().chain(set).collect();
            world.succeeds(&what, &[&["check"], &words[..]].concat(), &[]);
            let out = format!("runs/recipe-{number}");
            world.succeeds(&what, &[&["train", "--quiet", "--out", &out], &words[..]].concat(), &[]);
        }
    }
}

#[test]
fn every_recipe_of_every_page_runs() {
    let world = World::new();
    let veins = ["train", "experiments/mga/soybean_2_1.toml", "--out", "runs/veins", "--quiet"];
    let segments = [
        "task=segmentation",
        "model.backbone=unet_small",
        "data.annotations={ source = \"masks\", classes = [\"background\", \"vein\"] }",
    ];
    let segments: Vec<&str> = segments.iter().flat_map(|set| ["--set", *set]).collect();
    world.succeeds("the segmenter", &[&veins[..], &segments[..]].concat(), &[]);
    world.succeeds("a run", &["train", "my.toml", "--out", "runs/first", "--quiet"], &[]);
    let folds = ["data", "split", "data/my_leaves/leaves.csv", "--out", "data/my_leaves/folds.csv"];
    world.succeeds("folds", &[&folds[..], &["--group", "plant", "--stratify", "label"]].concat(), &[]);

    let pages = pages();
    let mut number = 0;
    for (page, text) in &pages {
        for block in blocks(page, text).iter().filter(|block| block.language == "toml") {
            run(&world, block, number);
            number += 1;
        }
    }
    assert!(number >= 9, "{number} blocks");
    for (page, part, _) in BLOCKS {
        let there = pages.iter().any(|(name, text)| name == page && text.contains(part));
        assert!(there, "{page} has no `{part}` any more; take it out of the list");
    }
}

/// The words with what they stand for, `mga ARM` as the pages write it.
fn filled(command: &Command) -> Vec<String> {
    let name =
        |word: &String| NAMES.iter().find(|(name, _)| name == word).map_or(word.clone(), |(_, is)| (*is).to_owned());
    let mut words: Vec<String> = command.words.iter().map(name).collect();
    // Runs without a folder are named after the second they begin in.
    if command.words.first().is_some_and(|word| word == "train") && !words.contains(&"--out".to_owned()) {
        words.extend(["--out".to_owned(), format!("runs/{}-{}", command.page.replace('/', "-"), command.line)]);
    }
    // A report is written beside what it is about.
    if command.words.first().is_some_and(|word| word == "report") {
        let out = words.iter().position(|word| word == "--out").and_then(|at| words.get_mut(at + 1));
        out.into_iter().for_each(|out| "report".clone_into(out));
    }
    words
}

#[test]
fn every_command_of_every_page_runs() {
    let world = World::new();
    let pages = pages();
    let recipe = pages.iter().find(|(page, _)| page == "experiments/README.md").unwrap();
    let sweep = blocks(&recipe.0, &recipe.1).into_iter().find(|block| block.text.contains("[variants.plain]")).unwrap();
    let (two, five) = ("seed = [1, 2]", "seed = [1, 2, 3, 4, 5]");
    assert!(sweep.text.contains(five));
    world.write("attention.toml", &sweep.text.replace(five, two));
    world.succeeds("a run", &["train", "my.toml", "--out", "runs/first", "--quiet"], &[]);
    world.succeeds("the sweep", &["sweep", "attention.toml", "--out", "runs/attention"], &[]);
    let veins =
        ["train", "experiments/quickstart.toml", "--out", "runs/veins", "--quiet", "--set", "task=segmentation"];
    let segments = ["--set", "model.backbone=unet_small", "--set", "data.annotations={ source = \"masks\" }"];
    world.succeeds("the segmenter", &[&veins[..], &segments[..]].concat(), &[]);

    let all: Vec<Command> = pages.iter().flat_map(|(page, text)| commands(page, text)).collect();
    let mut count = 0;
    for command in &all {
        let what = format!("{}:{}", command.page, command.line);
        let words = filled(command);
        let shown = words.join(" ");
        let parsed = Cli::try_parse_from(["mga"].into_iter().chain(words.iter().map(String::as_str)));
        assert!(parsed.is_ok(), "{what}: mga {shown}: {}", parsed.err().unwrap());
        if COMMANDS.iter().any(|(page, part, _)| *page == command.page && shown.contains(part)) {
            continue;
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        world.succeeds(&what, &words, &command.variables);
        count += 1;
    }
    assert!(count >= 10, "{count} commands");
    for (page, part, _) in COMMANDS {
        let there = all.iter().any(|command| command.page == *page && filled(command).join(" ").contains(part));
        assert!(there, "{page} has no command `{part}` any more; take it out of the list");
    }
}

/// Whether the words name a command, and options that it has.
fn is_known(words: &[String]) -> Result<(), String> {
    let mut program = Cli::command();
    program.build();
    let mut command = &program;
    for word in words {
        // What stands for something, several commands, a value.
        if word.starts_with(|c: char| c.is_ascii_uppercase()) || word.contains(['.', '/', '=']) {
            continue;
        }
        if let Some(option) = word.strip_prefix("--") {
            let option = option.split('=').next().unwrap_or_default();
            let known = command.get_arguments().any(|argument| argument.get_long() == Some(option));
            if !known && option != "help" {
                return Err(format!("{} has no option --{option}", command.get_name()));
            }
        } else if command.has_subcommands() {
            command = command.find_subcommand(word).ok_or_else(|| format!("there is no command `{word}`"))?;
        }
    }
    Ok(())
}

#[test]
fn every_command_in_a_sentence_is_one() {
    let mut count = 0;
    for (page, text) in pages() {
        for command in inline_commands(&page, &text) {
            let known = is_known(&command.words);
            assert!(known.is_ok(), "{page}:{}: mga {}: {}", command.line, command.words.join(" "), known.unwrap_err());
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
    assert!(is_known(&["train".to_owned(), "--outt".to_owned()]).is_err());
    assert!(is_known(&["weights".to_owned(), "pul".to_owned()]).is_err());
}

/// The examples at the end of every `--help`.
#[test]
fn every_example_of_the_help_is_a_command() {
    fn examples(command: &clap::Command, found: &mut Vec<String>) {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| line.trim_start().strip_prefix("mga ")).map(str::to_owned));
        command.get_subcommands().for_each(|command| examples(command, found));
    }
    let mut found = vec![];
    examples(&Cli::command(), &mut found);
    assert!(found.len() > 15, "{found:?}");
    for line in found {
        let Some(command) = super::markdown::command("--help", 0, &format!("mga {line}")) else { panic!("{line}") };
        let parsed = Cli::try_parse_from(["mga".to_owned()].into_iter().chain(command.words));
        assert!(parsed.is_ok(), "mga {line}: {}", parsed.err().unwrap());
    }
}
