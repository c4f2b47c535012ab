//! Few-shot experiments from outside: three stages on drawn leaves whose classes are split.

use mga_testing::files::{names_below, tensors};
use mga_testing::process::{Started, succeed, text};
use serde_json::Value;

use super::tiny::Tiny;

/// Ten cultivars of ten leaves: five train, two validate, three test.
const EXPERIMENT: &str = r#"
task = "few-shot"
seed = 3
device = "cpu"
[data]
dataset = "leaves"
cultivars = 10
train_per_class = 9
test_per_class = 1
size = 32
batch_size = 8
class_split = { base = 5, validation = 2, novel = 3 }
[data.eval]
batch_size = 20
[model]
backbone = "conv4"
[optimiser]
name = "sgd"
learning_rate = 0.02
momentum = 0.9
[episodes]
way = 2
shot = 1
query = 3
train = 3
validation = 5
test = 12
[stages.pretrain.episode_head]
name = "protonet"
[stages.pretrain.schedule]
name = "constant"
epochs = 2
[stages.meta.schedule]
name = "constant"
epochs = 2
[stages.meta.optimiser]
learning_rate = 1e-3
"#;

#[test]
fn every_stage_is_trained_and_episodes_are_kept() {
    let tiny = Tiny::of(EXPERIMENT);
    let output = text(&succeed(tiny.train("run", &[])).stdout);
    assert!(output.contains("episode accuracy") && output.contains("12 episodes, 2-way 1-shot, 3 queries"), "{output}");
    let summary = tiny.json("run/summary.json");
    let names: Vec<_> = summary["stages"].as_array().unwrap().iter().map(|stage| stage["name"].clone()).collect();
    assert_eq!(names, ["pretrain", "meta", "test"]);
    let accuracy = summary["last"]["episode_accuracy"].as_f64().unwrap();
    let trials = tiny.read("run/trials.csv");
    let scores: Vec<f64> =
        trials.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect();
    assert!(trials.starts_with("episode,drawn,episode_accuracy\n") && scores.len() == 12, "{trials}");
    assert!((scores.iter().sum::<f64>() / 12.0 - accuracy).abs() < 1e-12);
    // Query images of the novel classes: 12 episodes of two classes, three of each.
    let confusion = tiny.read("run/confusion.csv");
    let counts: u64 =
        confusion.lines().skip(1).flat_map(|l| l.split(',').skip(1)).map(|n| n.parse::<u64>().unwrap()).sum();
    assert_eq!((confusion.lines().count(), counts), (4, 72), "{confusion}");
    assert!(tiny.path("run/pictures/overview.png").is_file());
    // The classifier of pre-training is of the base classes, and goes through the other stages unmoved.
    let classifier = |run: &str| {
        let path = tiny.path(run).join("checkpoints/last.safetensors");
        tensors(&path).into_iter().find(|(name, ..)| name == "classifier.weight").unwrap()
    };
    assert_eq!(classifier("run/stages/meta").1[0], 5);
    assert_eq!(classifier("run"), classifier("run/stages/meta"));
    // Evaluated again, it says the same; and so does a second run.
    let again: Value = serde_json::from_str(&tiny.done(&["eval", "run"])).unwrap();
    assert_eq!(again["episode_accuracy"], summary["last"]["episode_accuracy"]);
    succeed(tiny.train("twice", &["threads=1"]));
    assert_eq!(tiny.read("twice/trials.csv"), trials);
}

#[test]
fn a_run_killed_in_any_stage_ends_with_the_same_bits() {
    let tiny = Tiny::of(EXPERIMENT);
    succeed(tiny.train("peace", &[]));
    for (stage, lines) in [("pretrain", 5), ("meta", 2), ("meta", 6)] {
        let out = format!("{stage}-{lines}");
        let mut run = Started::new(tiny.train(&out, &[]));
        run.until_lines(&tiny.path(&out).join(format!("stages/{stage}/metrics.jsonl")), lines);
        run.kill();
        succeed(tiny.go_on(&out));
        for file in ["trials.csv", "stages/meta/trials.csv", "confusion.csv"] {
            assert_eq!(tiny.read(&format!("{out}/{file}")), tiny.read(&format!("peace/{file}")), "{out}: {file}");
        }
        let weights = |run: &str| tensors(&tiny.path(run).join("stages/meta/checkpoints/last.safetensors"));
        assert_eq!(weights(&out), weights("peace"), "{out}");
    }
}

#[test]
fn a_stage_runs_alone_from_weights() {
    let tiny = Tiny::of(EXPERIMENT);
    succeed(tiny.train("first", &["run_stages=[\"pretrain\"]"]));
    succeed(tiny.train("both", &["run_stages=[\"pretrain\", \"test\"]"]));
    let alone = ["run_stages=[\"test\"]", "stages.test.model.weights=file:first"];
    succeed(tiny.train("second", &alone));
    assert_eq!(tiny.read("second/trials.csv"), tiny.read("both/trials.csv"));
}

#[test]
fn arms_share_the_stages_that_they_have_in_common_and_are_compared_by_episode() {
    let tiny = Tiny::of(EXPERIMENT);
    let sweep = "name = \"heads\"\nbase = \"tiny.toml\"\nbaseline = { \"episode_head.name\" = \"protonet\" }\n\
                 [axes]\n\"episode_head.name\" = [\"protonet\", \"cosine\", \"deepemd\"]\n\
                 \"run_stages\" = [[\"pretrain\", \"test\"]]\n";
    tiny.write("sweep.toml", sweep);
    let told = tiny.done(&["sweep", "sweep.toml", "--out", "sweep", "--json"]);
    assert!(told.contains("steps of the first run"), "the time of episodes is estimated: {told}");
    assert_eq!(std::fs::read_dir(tiny.path("sweep/stages")).unwrap().count(), 1, "all arms share the pre-training");
    tiny.done(&["report", "sweep", "--out", "report"]);
    let report = tiny.read("report/report.md");
    assert!(report.contains("95 % over episodes") && report.contains("the same 12 episodes"), "{report}");
    assert!(report.contains("1.96 standard errors"), "{report}");
    let page = tiny.read("report/index.html");
    assert!(page.contains("query images of test episodes"), "{}", names_below(&tiny.path("report")).join(" "));
    assert!(page.contains("All arms share this stage.") && !page.contains("id=\"unread\""), "no curve of pretraining");
    assert!(tiny.path("report/figures/stage-01-pretrain-loss.svg").is_file());
}

#[test]
fn episodes_that_the_classes_do_not_make_are_refused_before_anything_trains() {
    let tiny = Tiny::of(EXPERIMENT);
    let set = ["episodes.way=5", "episodes.query=10"];
    let arguments: Vec<&str> =
        ["train", "tiny.toml", "--out", "run"].into_iter().chain(set.iter().flat_map(|set| ["--set", *set])).collect();
    let (message, status) = tiny.refused(&arguments);
    for part in ["validation classes", "test classes", "takes 5 classes, and there are 2", "takes 11 images of a class"]
    {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(status == Some(2) && !tiny.path("run").exists(), "{status:?} {message}");
    let (message, _) = tiny.refused(&["check", "tiny.toml", "--set", "episodes.shot=0"]);
    assert!(message.contains("episodes.shot"), "{message}");
    let overlap = "data.class_split={ base = ['cultivar-00', 'cultivar-01'], novel = ['cultivar-01', 'cultivar-02'] }";
    let (message, _) = tiny.refused(&["check", "tiny.toml", "--set", overlap]);
    assert!(message.contains("cultivar-01"), "{message}");
}

#[test]
fn patches_can_be_the_nodes() {
    let tiny = Tiny::of(EXPERIMENT);
    let grid = "data.eval.transforms=[{ op = 'patch-grid', patch_list = [1, 2], size = 32 }]";
    succeed(tiny.train("grid", &["run_stages=[\"pretrain\", \"test\"]", grid]));
    assert!(tiny.json("grid/summary.json")["last"]["episode_accuracy"].is_f64());
}
