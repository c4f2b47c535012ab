//! A sweep over runs of a fraction of a second, and what two sweeps are compared by.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mga_experiment::Overrides;
use mga_sweep::{Plan, Planner};
use serde_json::Value;

/// Runs of two epochs of four steps, a checkpoint after each.
pub(crate) const BASE: &str = r#"task = "classification"
seed = 3
device = "cpu"
threads = 1

[data]
dataset = "leaves"
cultivars = 10
train_per_class = 3
test_per_class = 1
size = 32
batch_size = 5
workers = 1
validation = { per_class = 1 }
train = { transforms = [{ op = "random-crop", size = 28 }] }
eval = { transforms = [{ op = "centre-crop", size = 28 }], batch_size = 10 }

[model]
backbone = "conv4"
attention = "residual"

[optimiser]
name = "adamw"
learning_rate = 1e-3

[schedule]
name = "cosine"
epochs = 2

[train]
checkpoint_every = 1
log_every = 1
"#;

/// Two arms, two seeds.
pub(crate) const SWEEP: &str = r#"name = "tiny"
base = "base.toml"
baseline = { "model.attention" = "none" }

[[linked]]
"model.attention" = ["none", "residual"]
"model.mask_guidance" = [false, true]

[axes]
seed = [1, 2]
"#;

/// A folder with a base and a sweep file in it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new(sweep: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("base.toml"), BASE).unwrap();
        std::fs::write(folder.path().join("sweep.toml"), sweep).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// `mga` with these arguments, started in the folder.
    pub(crate) fn mga(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mga"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        // Nothing of these runs is of use to others.
        command.env("MGA_CACHE", self.path("cache"));
        command
    }

    /// `mga sweep` into the folder `out`.
    pub(crate) fn sweep(&self, out: &str, more: &[&str]) -> Command {
        self.mga(&[&["sweep", "sweep.toml", "--out", out], more].concat())
    }

    /// The plan of the sweep file, or what is wrong with it, without this machine's paths.
    pub(crate) fn plan(&self) -> Result<(Plan, Vec<String>), String> {
        let components = mga_train::builtin();
        let told = |error: anyhow::Error| format!("{error:#}").replace(&format!("{}/", self.0.path().display()), "");
        let planner = Planner::read(&self.path("sweep.toml"), Overrides::default(), &components);
        let mut planner = planner.map_err(|error| told(error.into()))?;
        let plan = planner.plan(&self.path("out"), None).map_err(told)?;
        let warnings = planner.warnings.iter().map(|warning| told(anyhow::anyhow!("{warning}"))).collect();
        Ok((plan, warnings))
    }

    /// The keys of the runs that are planned, without their ids.
    pub(crate) fn keys(&self) -> Vec<String> {
        let (plan, _) = self.plan().unwrap_or_else(|error| panic!("{error}"));
        plan.cells.iter().map(|cell| readable(&cell.key)).collect()
    }

    /// What the runs of a sweep's folder came to.
    pub(crate) fn results(&self, out: &str) -> BTreeMap<String, Results> {
        let runs = std::fs::read_dir(self.path(out).join("runs")).unwrap().map(|entry| entry.unwrap().path());
        runs.map(|run| (run.file_name().unwrap().to_string_lossy().into_owned(), Results::read(&run))).collect()
    }
}

/// A key without its id.
pub(crate) fn readable(key: &str) -> String {
    key.rsplit_once('-').map_or("", |(readable, _)| readable).to_owned()
}

/// What a run came to, without times.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Results {
    pub(crate) predictions: String,
    pub(crate) summary: Value,
    pub(crate) metrics: Vec<Value>,
    pub(crate) identity: String,
    pub(crate) state: Value,
}

impl Results {
    fn read(run: &Path) -> Self {
        let text = |name: &str| std::fs::read_to_string(run.join(name)).unwrap_or_default();
        let json = |name: &str| serde_json::from_str::<Value>(&text(name)).unwrap_or_default();
        let mut summary = json("summary.json");
        summary.as_object_mut().and_then(|summary| summary.remove("training_seconds"));
        let metrics = text("metrics.jsonl")
            .lines()
            .filter_map(|line| {
                let mut line: Value = serde_json::from_str(line).ok()?;
                line.as_object_mut()?.remove("images_per_second");
                Some(line)
            })
            .collect();
        Self {
            predictions: text("predictions.csv"),
            summary,
            metrics,
            identity: text("identity.json"),
            state: json("state.json")["state"].clone(),
        }
    }
}

/// Runs to the end, which has to be a good one.
pub(crate) fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}: {}", output.status, said(&output));
    output
}

/// Runs to the end, which has to be exit status `status`; gives what was said on standard error.
pub(crate) fn fail(mut command: Command, status: i32) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{command:?}: {}", said(&output));
    said(&output)
}

/// Standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
