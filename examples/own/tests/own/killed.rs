//! A run that is killed in the middle of an epoch ends with the same bits as one that was left in peace.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::folder::{Folder, succeed};

/// Steps of the log that are waited for: an epoch of the runs has 50.
const STEPS: usize = 7;

/// `stage` is the folder, within the run's, of the stage that is killed; `files` are those that a run of this experiment has
/// besides.
fn killed_and_resumed(experiment: &str, stage: &str, files: &[&str]) {
    let folder = Folder::new();
    let set =
        ["threads=1", "data.workers=1", "train.checkpoint_every=1", "train.log_every=1", "data.train_per_class=105"];
    let train = |out: &str| {
        let set = set.into_iter().flat_map(|set| ["--set", set]);
        let arguments: Vec<&str> = ["--out", out].into_iter().chain(set).collect();
        folder.on("train", experiment, &arguments)
    };
    succeed(train("peace"));
    let mut run = train("killed").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (begun, killed, peace) = (Instant::now(), format!("killed{stage}"), format!("peace{stage}"));
    while folder.log(&killed).len() < STEPS {
        assert!(begun.elapsed() < Duration::from_secs(120) && run.try_wait().unwrap().is_none(), "it takes no steps");
        std::thread::sleep(Duration::from_micros(200));
    }
    run.kill().unwrap();
    assert!(!run.wait().unwrap().success());
    let steps = folder.log(&killed);
    assert!(steps.iter().all(|line| line["kind"] == "step"), "it was killed behind an epoch: {steps:?}");
    assert!(folder.path(&format!("{killed}/checkpoints/last.safetensors")).is_file());
    succeed(folder.own(&["train", "--resume", "killed"]));

    assert_eq!(folder.log(&killed), folder.log(&peace));
    assert_eq!(folder.log("killed"), folder.log("peace"));
    for file in ["predictions.csv", "confusion.csv"].iter().chain(files) {
        assert_eq!(folder.read("killed", file), folder.read("peace", file), "{file}");
    }
    for name in ["last.safetensors", "best.safetensors"] {
        let (killed, peace) = (folder.tensors(&killed, name), folder.tensors(&peace, name));
        assert!(killed.keys().eq(peace.keys()), "{name}");
        let differ: Vec<&String> = killed.keys().filter(|key| killed[*key] != peace[*key]).collect();
        assert!(differ.is_empty(), "{name}: {differ:?}");
    }
}

#[test]
fn a_run_of_the_method_goes_on_to_the_bit() {
    // With what its tracker wrote.
    killed_and_resumed("swapped-patches.toml", "", &["numbers.csv"]);
}

#[test]
fn a_run_of_the_task_goes_on_to_the_bit() {
    killed_and_resumed("nearest-mean.toml", "", &[]);
}

#[test]
fn a_run_of_two_stages_goes_on_in_the_first_to_the_bit() {
    killed_and_resumed("episodes.toml", "/stages/pretrain", &[]);
}

#[test]
fn a_run_of_everything_goes_on_to_the_bit() {
    killed_and_resumed("everything.toml", "/stages/pretrain", &["stages/pretrain/numbers.csv", "numbers.csv"]);
}
