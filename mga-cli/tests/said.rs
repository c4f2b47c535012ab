//! What `mga train` says while it runs: JSON lines for machines, a line an epoch off a terminal, a bar on one.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const EXPERIMENT: &str = "\
seed = 1
[data]
dataset = \"leaves\"
size = 32
train_per_class = 3
test_per_class = 1
batch_size = 10
validation = { per_class = 1 }
[model]
backbone = \"conv4\"
[schedule]
epochs = 2
";

#[cfg(test)]
fn train(folder: &Path, arguments: &[&str]) -> Output {
    std::fs::write(folder.join("x.toml"), EXPERIMENT).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mga"));
    command.current_dir(folder).args(["train", "x.toml", "--out", "run"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn machines_get_an_object_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let output = train(folder.path(), &["--json", "--quiet"]);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = output
        .stdout
        .split(|&b| b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    let epoch = ["step", "step", "evaluating", "epoch"];
    assert_eq!(kinds, [&epoch[..], &epoch, &["result"]].concat());
    assert_eq!((&lines[4]["step"], &lines[4]["batch"], &lines[4]["batches"]), (&3.into(), &1.into(), &2.into()));
    assert!(lines[0]["seconds_left"].is_null() && lines[1]["seconds_left"].as_f64().unwrap() > 0.0);
    assert_eq!(lines[5]["seconds_left"], 0.0);
    assert!(lines[3]["score"] == lines[3]["evaluation"]["top1"] && lines[3]["score"] == lines[3]["best"]);
    let summary = std::fs::read(folder.path().join("run/summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!((&lines[8]["last"], &lines[8]["folder"]), (&summary["last"], &"run".into()));
}

#[test]
fn off_a_terminal_there_is_a_line_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let output = train(folder.path(), &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().filter(|line| line.starts_with("epoch ")).count(), 2, "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains('\r') && !said.contains("img/s"), "{said}");
}

/// `script` gives the program a terminal, where there is one (util-linux).
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_there_is_a_bar() {
    let known = Command::new("script").arg("--version").output();
    if !known.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux")) {
        eprintln!("skipped: no `script` of util-linux here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.toml"), EXPERIMENT).unwrap();
    let command = format!("stty columns 160; {} train x.toml --out run", env!("CARGO_BIN_EXE_mga"));
    let output =
        Command::new("script").args(["-qec", &command, "/dev/null"]).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    for part in [
        "epoch 1/2 [",
        "epoch 2/2 [",
        "] 4/4 ",
        " img/s",
        "(left ",
        "top1 ",
        "(best ",
        "evaluating 10 validation images",
    ] {
        assert!(said.contains(part), "{part} in {said:?}");
    }
}
