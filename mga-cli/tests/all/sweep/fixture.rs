//! A sweep over runs of a fraction of a second, and what two sweeps are compared by.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;
use std::process::Command;

use mga_experiment::Overrides;
use mga_sweep::{Plan, Planner};
use mga_testing::experiments::leaves;
use mga_testing::place::Place;
use mga_testing::process::lines;
use serde_json::Value;

use crate::place;

/// Runs of two epochs of four steps, a checkpoint after each.
pub(crate) fn base() -> String {
    leaves(2)
}

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
pub(crate) struct Folder(Place);

impl Deref for Folder {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.0
    }
}

impl Folder {
    pub(crate) fn new(sweep: &str) -> Self {
        let place = place();
        place.write("base.toml", base());
        place.write("sweep.toml", sweep);
        Self(place)
    }

    /// `mga sweep` into the folder `out`.
    pub(crate) fn sweep(&self, out: &str, more: &[&str]) -> Command {
        self.mga([&["sweep", "sweep.toml", "--out", out], more].concat())
    }

    /// The plan of the sweep file, or what is wrong with it, without this machine's paths.
    pub(crate) fn plan(&self) -> Result<(Plan, Vec<String>), String> {
        let components = mga_train::builtin();
        let told = |error: anyhow::Error| format!("{error:#}").replace(&format!("{}/", self.folder().display()), "");
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

    /// The lines in the logs of all runs of a sweep's folder.
    pub(crate) fn steps(&self, out: &str) -> usize {
        let runs = std::fs::read_dir(self.path(out).join("runs")).into_iter().flatten().flatten();
        runs.map(|run| lines(&run.path().join("metrics.jsonl"))).sum()
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

/// The runs that a sweep started, by what it said.
pub(crate) fn started(said: &str) -> Vec<String> {
    let keys = said.lines().filter_map(|line| line.strip_suffix(" ...")?.split_once("] "));
    keys.map(|(_, key)| readable(key)).collect()
}
