//! `metrics.jsonl`: how a run went.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// `step`, `epoch` or `eval`.
    pub kind: String,
    /// The other keys of the line.
    #[serde(flatten)]
    pub values: Map<String, Value>,
}

impl Line {
    /// Returns a number of the line.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<f64> {
        self.values.get(key).and_then(Value::as_f64)
    }
}

/// The log of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curves {
    /// The lines, in order.
    pub lines: Vec<Line>,
    /// Lines that could not be understood; the last one may still be being written.
    pub torn: usize,
}

impl Curves {
    /// Reads a run folder's file.
    ///
    /// # Errors
    /// It is not there or cannot be read. Lines that cannot be understood are counted, not errors.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("metrics.jsonl");
        let text = std::fs::read_to_string(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        let mut curves = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str(line) {
                Ok(line) => curves.lines.push(line),
                Err(_) => curves.torn += 1,
            }
        }
        Ok(curves)
    }

    /// Iterates over the epoch (from 0) and the value of a metric in the evaluations of a split, such as
    /// `("validation", "top1")`.
    pub fn evaluations<'a>(&'a self, split: &'a str, metric: &'a str) -> impl Iterator<Item = (u64, f64)> + 'a {
        self.lines
            .iter()
            .filter(move |line| line.kind == "eval" && line.values.get("split").is_some_and(|s| s == split))
            .filter_map(move |line| Some((line.values.get("epoch")?.as_u64()?, line.number(metric)?)))
    }

    /// Iterates over the step (from 1) and a number of the logged training steps, such as `loss`.
    pub fn steps<'a>(&'a self, key: &'a str) -> impl Iterator<Item = (u64, f64)> + 'a {
        self.lines
            .iter()
            .filter(|line| line.kind == "step")
            .filter_map(move |line| Some((line.values.get("step")?.as_u64()?, line.number(key)?)))
    }

    /// Returns the epoch (from 0) and the mean of a number of training over the epoch's images, such as `loss`. Runs of
    /// releases before 0.2.0 logged no such means: theirs is over the steps of the epoch that were logged.
    #[must_use]
    pub fn epochs(&self, key: &str) -> Vec<(u64, f64)> {
        let of = |kind: &'static str| {
            let lines = self.lines.iter().filter(move |line| line.kind == kind);
            lines.filter_map(|line| Some((line.values.get("epoch")?.as_u64()?, line.number(key)?)))
        };
        let mut steps: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for (epoch, value) in of("step") {
            let (sum, count) = steps.get(&epoch).copied().unwrap_or_default();
            steps.insert(epoch, (sum + value, count + 1.0));
        }
        let mut means: BTreeMap<u64, f64> = steps.into_iter().map(|(at, (sum, count))| (at, sum / count)).collect();
        means.extend(of("epoch"));
        means.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_by_split_step_and_epoch() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Curves::read(folder.path()).is_err());
        let text = r#"{"kind": "step", "step": 1, "epoch": 0, "loss": 3.0}
{"kind": "step", "step": 2, "epoch": 0, "loss": 1.0}
{"kind": "eval", "split": "validation", "epoch": 0, "top1": 0.5, "mask_iou": null}
{"kind": "step", "step": 3, "epoch": 1, "loss": 0.5}
{"kind": "epoch", "step": 4, "epoch": 1, "images": 20, "loss": 0.75}
{"kind": "eval", "split": "vali"#;
        std::fs::write(folder.path().join("metrics.jsonl"), text).unwrap();
        let curves = Curves::read(folder.path()).unwrap();
        assert_eq!((curves.lines.len(), curves.torn), (5, 1));
        assert_eq!(curves.evaluations("validation", "top1").collect::<Vec<_>>(), [(0, 0.5)]);
        assert_eq!(
            curves.evaluations("validation", "mask_iou").count() + curves.evaluations("test", "top1").count(),
            0
        );
        assert_eq!(curves.steps("loss").last(), Some((3, 0.5)));
        assert_eq!(curves.epochs("loss"), [(0, 2.0), (1, 0.75)]);
    }
}
