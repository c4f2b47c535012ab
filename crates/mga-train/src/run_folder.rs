//! A run's folder: what lies in it, and how it is written.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use mga_core::whole_file;
use mga_core::whole_file::write_all;
use mga_experiment::{BEST, EXPERIMENT, LAST};
use serde::Serialize;

use crate::csv_file::CsvFile;
use crate::folder_lock::FolderLock;
use crate::tensorboard::{self, EventFile};

/// Files that a sweep's folder holds, and a run's does not.
const SWEEP: [&str; 3] = ["sweep.toml", "plan.json", "draws.json"];

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder at `path`, which need not be there.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Makes it; refuses one that holds a run already, or a sweep.
    pub fn create(&self) -> anyhow::Result<()> {
        if self.holds_run() {
            anyhow::bail!(
                "{}: there is a run in this folder already; `mga train --resume {0}` goes on with it, `--out` takes another",
                self.0.display()
            );
        }
        if let Some(file) = SWEEP.into_iter().find(|file| self.0.join(file).exists()) {
            anyhow::bail!(
                "{}: there is a sweep in this folder ({file}), whose runs lie in its `runs`; `--out` takes another folder",
                self.0.display()
            );
        }
        for folder in [self.0.clone(), self.0.join("checkpoints"), self.0.join("pictures")] {
            std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        }
        Ok(())
    }

    /// Whether a run was begun in it.
    #[must_use]
    pub fn holds_run(&self) -> bool {
        self.experiment().exists() || self.metrics().exists() || self.last().exists()
    }

    /// Keeps other processes from training into it, until the lock is dropped.
    pub fn lock(&self) -> anyhow::Result<FolderLock> {
        FolderLock::take(&self.0, "trains")
    }

    /// Removes temporary files that a killed process could not rename any more. What another process writes meanwhile, such
    /// as a sweep its `state.json`, stays.
    pub fn remove_temporary(&self) -> anyhow::Result<()> {
        for folder in [self.0.clone(), self.0.join("checkpoints"), self.0.join("pictures")] {
            let failed = || format!("{}: cannot be tidied up", folder.display());
            // A copy of a run may lack an empty folder.
            std::fs::create_dir_all(&folder).with_context(failed)?;
            whole_file::remove_leftovers(&folder).with_context(failed)?;
        }
        Ok(())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The resolved experiment.
    pub fn experiment(&self) -> PathBuf {
        self.0.join(EXPERIMENT)
    }

    /// The log of steps and evaluations.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// The state after the last finished step that was saved.
    pub fn last(&self) -> PathBuf {
        self.0.join(LAST)
    }

    /// The weights of the selected epoch.
    pub fn best(&self) -> PathBuf {
        self.0.join(BEST)
    }

    /// Where pictures go.
    pub fn pictures(&self) -> PathBuf {
        self.0.join("pictures")
    }

    /// What came of it.
    pub fn summary(&self) -> PathBuf {
        self.0.join("summary.json")
    }

    /// Makes the folder for the results of a command, where it is not there yet.
    pub fn make(&self) -> anyhow::Result<()> {
        let shown = self.0.display();
        anyhow::ensure!(
            !self.0.exists() || self.0.is_dir(),
            "{shown}: is a file; --out names a folder for the results"
        );
        std::fs::create_dir_all(&self.0).with_context(|| format!("{shown}: cannot be made"))
    }

    /// The class names, as a finished run wrote them down; `None`: it did not.
    pub fn classes(&self) -> Option<Vec<String>> {
        // The header of the confusion matrix.
        let mut reader = csv::Reader::from_path(self.0.join("confusion.csv")).ok()?;
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

    /// Writes a file of the folder, by rename.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> anyhow::Result<()> {
        let path = self.0.join(name);
        write_all(&path, contents.as_ref()).with_context(|| format!("{}: cannot be written", path.display()))
    }

    /// Writes a JSON file of the folder, by rename.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
        self.write(name, serde_json::to_string_pretty(value)? + "\n")
    }
}

/// `metrics.jsonl`: one object a line, only ever appended to, and cut back to a checkpoint's length when resumed. Beside it
/// goes TensorBoard's file, which says the same.
pub struct MetricsLog {
    file: File,
    path: PathBuf,
    events: EventFile,
}

impl MetricsLog {
    /// Opens the log and cuts it to `length` bytes: what came after the checkpoint is done again.
    pub fn open(path: &Path, length: u64) -> anyhow::Result<Self> {
        let failed = || format!("{}: cannot be opened", path.display());
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path).with_context(failed)?;
        let present = file.metadata().with_context(failed)?.len();
        if present < length {
            anyhow::bail!(
                "{}: {present} bytes, but the checkpoint was saved at {length}; the log was cut",
                path.display()
            );
        }
        file.set_len(length).with_context(failed)?;
        file.seek(std::io::SeekFrom::End(0)).with_context(failed)?;
        let log = std::fs::read_to_string(path).with_context(failed)?;
        let events = EventFile::open(&path.with_file_name(tensorboard::FILE), &log)
            .with_context(|| format!("{}: cannot be made into TensorBoard's file", path.display()))?;
        Ok(Self { file, path: path.to_path_buf(), events })
    }

    /// Appends one object.
    pub fn append(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let value = serde_json::to_value(value)?;
        let line = format!("{value}\n");
        self.file.write_all(line.as_bytes()).with_context(|| format!("{}: cannot be written", self.path.display()))?;
        self.events.append(&value)
    }

    /// Makes sure that all is on the disk, and says how long the log is.
    pub fn sync(&mut self) -> anyhow::Result<u64> {
        let failed = || format!("{}: cannot be written", self.path.display());
        self.file.sync_all().with_context(failed)?;
        Ok(self.file.metadata().with_context(failed)?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_cut_back_to_its_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::open(&path, 0).unwrap();
        log.append(&1).unwrap();
        let length = log.sync().unwrap();
        log.append(&2).unwrap();
        drop(log);
        MetricsLog::open(&path, length).unwrap().append(&3).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n3\n");
        assert!(MetricsLog::open(&path, 100).is_err());
        // What is damaged is named: the log, and TensorBoard's file.
        std::fs::write(&path, "1\n{torn\n").unwrap();
        let error = format!("{:#}", MetricsLog::open(&path, 8).err().unwrap());
        assert!(error.contains("metrics.jsonl: ") && error.contains("line 2 ") && error.contains("{torn"), "{error}");
        std::fs::write(&path, "1\n").unwrap();
        let events = path.with_file_name(tensorboard::FILE);
        std::fs::remove_file(&events).unwrap();
        std::fs::create_dir(&events).unwrap();
        let error = format!("{:#}", MetricsLog::open(&path, 2).err().unwrap());
        assert!(error.contains(&format!("{}: cannot be written", events.display())), "{error}");
    }

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
