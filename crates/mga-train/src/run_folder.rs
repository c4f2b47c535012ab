//! A run's folder: what lies in it, and how it is written.

use std::path::{Path, PathBuf};

use anyhow::Context;
use mga_core::whole_file;
use mga_core::whole_file::write_all;
use mga_experiment::{BEST, EXPERIMENT, LAST};
use serde::Serialize;

use crate::csv_file::CsvFile;
use crate::folder_lock::FolderLock;

/// The file of the scores of independent trials.
pub const TRIALS: &str = "trials.csv";

/// Files that a sweep's folder holds, and a run's does not.
const SWEEP: [&str; 3] = ["sweep.toml", "plan.json", "draws.json"];

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    /// Returns the folder of stages that runs share; `None` if they are in the run's own folder.
    shared_stages: Option<PathBuf>,
}

impl RunFolder {
    /// Returns the names the folder at `path`, which need not exist.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), shared_stages: None }
    }

    /// Returns the run folder with its earlier stages in `folder`, under their identities. Runs with equal stages share
    /// them.
    #[must_use]
    pub fn with_shared_stages(self, folder: impl Into<PathBuf>) -> Self {
        Self { shared_stages: Some(folder.into()), ..self }
    }

    /// Returns the folder of stages that runs share; `None` if they are in the run's own folder.
    #[must_use]
    pub fn shared_stages(&self) -> Option<&Path> {
        self.shared_stages.as_deref()
    }

    /// Makes it; refuses one that holds a run already, or a sweep.
    pub fn create(&self) -> anyhow::Result<()> {
        if self.holds_run() {
            anyhow::bail!(
                "{}: there is a run in this folder already; `mga train --resume {0}` goes on with it, `--out` takes another",
                self.path.display()
            );
        }
        if let Some(file) = SWEEP.into_iter().find(|file| self.path.join(file).exists()) {
            anyhow::bail!(
                "{}: there is a sweep in this folder ({file}), whose runs lie in its `runs`; `--out` takes another folder",
                self.path.display()
            );
        }
        self.make_all()
    }

    /// Makes it, with the folders in it, where they are not there yet.
    pub(crate) fn make_all(&self) -> anyhow::Result<()> {
        for folder in [self.path.clone(), self.path.join("checkpoints"), self.path.join("pictures")] {
            std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        }
        Ok(())
    }

    /// Returns whether a run was begun in it.
    #[must_use]
    pub fn holds_run(&self) -> bool {
        self.experiment().exists() || self.metrics().exists() || self.last().exists()
    }

    /// Keeps other processes from training into it, until the lock is dropped.
    pub fn lock(&self) -> anyhow::Result<FolderLock> {
        FolderLock::take(&self.path, "trains")
    }

    /// Removes temporary files that a killed process could not rename any more. What another process writes meanwhile, such
    /// as a sweep its `state.json`, stays.
    pub fn remove_temporary(&self) -> anyhow::Result<()> {
        for folder in [self.path.clone(), self.path.join("checkpoints"), self.path.join("pictures")] {
            let failed = || format!("{}: cannot be tidied up", folder.display());
            // A copy of a run may lack an empty folder.
            std::fs::create_dir_all(&folder).with_context(failed)?;
            whole_file::remove_leftovers(&folder).with_context(failed)?;
        }
        Ok(())
    }

    /// Returns the folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the resolved experiment.
    pub fn experiment(&self) -> PathBuf {
        self.path.join(EXPERIMENT)
    }

    /// Returns the log of steps and evaluations.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// Returns the state after the last finished step that was saved.
    pub fn last(&self) -> PathBuf {
        self.path.join(LAST)
    }

    /// Returns the reported checkpoint: that of the selected epoch, else the last; `None` if there is none.
    pub fn reported(&self) -> Option<PathBuf> {
        [self.best(), self.last()].into_iter().find(|path| path.is_file())
    }

    /// Returns whether the weights that its run started from were read long ago, and may be gone: it has a checkpoint,
    /// or stages that have.
    #[must_use]
    pub fn has_read_weights(&self) -> bool {
        self.reported().is_some() || self.stages().is_file()
    }

    /// Returns the folder of the stages of a run.
    pub fn stages(&self) -> PathBuf {
        self.path.join("stages.json")
    }

    /// Returns the file with the tensors of a stage that extracts.
    pub fn features(&self) -> PathBuf {
        self.path.join("features.safetensors")
    }

    /// Returns the weights of the selected epoch.
    pub fn best(&self) -> PathBuf {
        self.path.join(BEST)
    }

    /// Returns the folder of pictures.
    pub fn pictures(&self) -> PathBuf {
        self.path.join("pictures")
    }

    /// Returns the result.
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// Makes the folder for the results of a command, where it is not there yet.
    pub fn make(&self) -> anyhow::Result<()> {
        let shown = self.path.display();
        anyhow::ensure!(
            !self.path.exists() || self.path.is_dir(),
            "{shown}: is a file; --out names a folder for the results"
        );
        std::fs::create_dir_all(&self.path).with_context(|| format!("{shown}: cannot be made"))
    }

    /// Returns the class names, as a finished run wrote them down; `None`: it did not.
    pub fn classes(&self) -> Option<Vec<String>> {
        // The header of the confusion matrix.
        let mut reader = csv::Reader::from_path(self.path.join("confusion.csv")).ok()?;
        let classes: Vec<String> =
            reader.headers().ok()?.iter().skip(1).map(crate::csv_file::bared).map(str::to_owned).collect();
        (classes.len() > 1).then_some(classes)
    }

    /// Writes `confusion.csv`: counts `[label, predicted]`, with the class names, in order.
    pub fn write_confusion(&self, classes: &[String], counts: &[Vec<u64>]) -> anyhow::Result<()> {
        let mut file = CsvFile::new();
        file.row(std::iter::once("label").chain(classes.iter().map(String::as_str)))?;
        for (class, counts) in classes.iter().zip(counts) {
            file.row(std::iter::once(class.clone()).chain(counts.iter().map(u64::to_string)))?;
        }
        self.write("confusion.csv", file.text()?)
    }

    /// Writes `trials.csv`: the score of each independent trial of an evaluation, by a hash of what it was made of. `of` is
    /// one trial in a word, `metric` the key of the metric that the scores are of.
    pub fn write_trials(&self, of: &str, metric: &str, trials: &[(String, f64)]) -> anyhow::Result<()> {
        let mut file = CsvFile::new();
        file.row([of, "drawn", metric])?;
        for (number, (drawn, score)) in trials.iter().enumerate() {
            file.row([number.to_string(), drawn.clone(), score.to_string()])?;
        }
        self.write(TRIALS, file.text()?)
    }

    /// Writes a file of the folder, by rename.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> anyhow::Result<()> {
        let path = self.path.join(name);
        write_all(&path, contents.as_ref()).with_context(|| format!("{}: cannot be written", path.display()))
    }

    /// Writes a JSON file of the folder, by rename.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
        self.write(name, serde_json::to_string_pretty(value)? + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_a_run_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path().join("run"));
        run.create().unwrap();
        run.write("experiment.toml", "").unwrap();
        assert!(run.create().unwrap_err().to_string().contains("--resume"));
        let file = RunFolder::at(folder.path().join("run/experiment.toml"));
        let error = file.make().unwrap_err().to_string();
        assert!(error.contains("run/experiment.toml: is a file; --out names a folder"), "{error}");
        std::fs::write(folder.path().join("plan.json"), "{}").unwrap();
        let refused = RunFolder::at(folder.path()).create().unwrap_err().to_string();
        assert!(refused.contains("there is a sweep in this folder (plan.json)"), "{refused}");
    }
}
