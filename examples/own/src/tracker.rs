//! A tracker: it writes the numbers of a run to a CSV file of its own, a number a row.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use mga_registry::{Entry, OwnSettings, SettingFault};
use mga_train::trackers::{RegisteredTracker, RunEnd, TrackedRun, Tracker, Trackers};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Returns the tracker that an experiment selects with `trackers = [{ name = "csv", file = "numbers.csv" }]`.
pub fn entry() -> Entry<Trackers> {
    let about = "a CSV file in the run's folder, with a number in each row";
    Entry::<Trackers>::new("csv", about, Arc::new(Csv)).with_settings(schemars::schema_for!(CsvSettings))
}

/// The settings, which stand beside `name`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
struct CsvSettings {
    /// The file, in the run's folder.
    #[schemars(length(min = 1))]
    file: String,
    /// Numbers that are left out, such as those that depend on the machine.
    without: Vec<String>,
}

impl Default for CsvSettings {
    fn default() -> Self {
        Self { file: "numbers.csv".to_owned(), without: Vec::new() }
    }
}

struct Csv;

impl RegisteredTracker for Csv {
    fn build(&self, settings: &OwnSettings<'_>) -> Result<Box<dyn Tracker>, SettingFault> {
        let read: CsvSettings = settings.read()?;
        if read.file.contains(['/', '\\']) {
            let what = format!("expected the name of a file in the run's folder, found {:?}", read.file);
            return Err(SettingFault { key: settings.key("file"), what });
        }
        Ok(Box::new(Rows { settings: read, file: None, step: 0 }))
    }
}

struct Rows {
    settings: CsvSettings,
    file: Option<File>,
    /// The last step, which evaluations belong to.
    step: u64,
}

impl Tracker for Rows {
    fn begins(&mut self, run: &TrackedRun<'_>) -> anyhow::Result<()> {
        let path = run.folder.path().join(&self.settings.file);
        // Made anew from what the run has done so far: what came after the checkpoint is done again.
        let mut text = "step,split,number,value\n".to_owned();
        run.lines().for_each(|line| text += &self.rows(&line));
        std::fs::write(&path, text).with_context(|| format!("{}: cannot be written", path.display()))?;
        self.file = Some(OpenOptions::new().append(true).open(&path)?);
        Ok(())
    }

    fn line(&mut self, line: &Value) -> anyhow::Result<()> {
        let rows = self.rows(line);
        self.write(&rows)
    }

    fn ends(&mut self, end: RunEnd<'_>) -> anyhow::Result<()> {
        let state = match end {
            RunEnd::Finished => "finished",
            RunEnd::Interrupted => "interrupted",
            RunEnd::Failed(_) => "failed",
        };
        let step = self.step;
        self.write(&format!("{step},,state,{state}\n"))
    }
}

impl Rows {
    /// A row for each number of a line of the log.
    fn rows(&mut self, line: &Value) -> String {
        self.step = line["step"].as_u64().unwrap_or(self.step);
        // Numbers of training are of a step, or means over an epoch.
        let training = if line["kind"] == "epoch" { "epoch" } else { "train" };
        let (step, split) = (self.step, line["split"].as_str().unwrap_or(training));
        let numbers = line
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, value)| value.is_number() && *name != "step" && !self.settings.without.contains(name));
        numbers.map(|(name, value)| format!("{step},{split},{name},{value}\n")).collect()
    }

    fn write(&mut self, rows: &str) -> anyhow::Result<()> {
        let file = self.file.as_mut().context("the file is not open")?;
        file.write_all(rows.as_bytes()).with_context(|| format!("{}: cannot be written", self.settings.file))
    }
}

#[cfg(test)]
mod tests {
    use mga_experiment::Overrides;
    use mga_train::run_folder::RunFolder;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_that_goes_on_has_no_row_twice() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        let text = "data = { dataset = \"leaves\" }\nmodel = { backbone = \"conv4\", attention = \"none\", \
                    mask_guidance = false }\neval.select_on = \"last\"\n";
        let loaded = mga_experiment::load_text(text, &Overrides::default(), &mga_train::builtin()).unwrap();
        let settings = json!({ "without": ["speed"] });
        let begin = |log: &str| {
            let mut tracker = Csv.build(&OwnSettings::new("trackers", settings.as_object().unwrap())).unwrap();
            tracker.begins(&TrackedRun { experiment: &loaded.experiment, folder: &run, log }).unwrap();
            tracker
        };
        let step = |step: u64| json!({ "kind": "step", "step": step, "loss": 0.5, "speed": 7.0 });
        let mut tracker = begin("");
        (1..=3).for_each(|number| tracker.line(&step(number)).unwrap());
        tracker.ends(RunEnd::Interrupted).unwrap();
        // The checkpoint is of the second step.
        let mut tracker = begin(&format!("{}\n{}\n", step(1), step(2)));
        tracker.line(&step(3)).unwrap();
        tracker.line(&json!({ "kind": "eval", "split": "validation", "top1": 0.25, "mask_iou": null })).unwrap();
        tracker.ends(RunEnd::Finished).unwrap();
        let written = std::fs::read_to_string(folder.path().join("numbers.csv")).unwrap();
        let expected = "step,split,number,value\n1,train,loss,0.5\n2,train,loss,0.5\n3,train,loss,0.5\n\
                        3,validation,top1,0.25\n3,,state,finished\n";
        assert_eq!(written, expected);
    }
}
