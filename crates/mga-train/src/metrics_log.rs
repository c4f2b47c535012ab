//! The log of a run's numbers, `metrics.jsonl`.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use serde::de::IgnoredAny;

/// The log: one object a line, only ever appended to, and cut back to a checkpoint's length when resumed.
#[derive(Debug)]
pub struct MetricsLog {
    file: File,
    path: PathBuf,
}

impl MetricsLog {
    /// Opens the log and cuts it to `length` bytes: what came after the checkpoint is done again. Returns it with the text
    /// that is left.
    ///
    /// # Errors
    /// A file that cannot be opened, is shorter, or has a line that is not JSON.
    pub fn open(path: &Path, length: u64) -> anyhow::Result<(Self, String)> {
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
        for (number, line) in log.lines().enumerate() {
            serde_json::from_str::<IgnoredAny>(line)
                .with_context(|| format!("{}: line {} is not JSON: {line}", path.display(), number + 1))?;
        }
        Ok((Self { file, path: path.to_path_buf() }, log))
    }

    /// Appends one object.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let line = serde_json::to_string(value)? + "\n";
        self.file.write_all(line.as_bytes()).with_context(|| format!("{}: cannot be written", self.path.display()))
    }

    /// Makes sure that all is on the disk, and says how long the log is.
    ///
    /// # Errors
    /// The file cannot be written.
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
        let (mut log, text) = MetricsLog::open(&path, 0).unwrap();
        log.append(&1).unwrap();
        let length = log.sync().unwrap();
        log.append(&2).unwrap();
        drop(log);
        let (mut log, left) = MetricsLog::open(&path, length).unwrap();
        log.append(&3).unwrap();
        assert_eq!((text.as_str(), left.as_str()), ("", "1\n"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n3\n");
        assert!(MetricsLog::open(&path, 100).is_err());
        // What is damaged is named.
        std::fs::write(&path, "1\n{torn\n").unwrap();
        let error = format!("{:#}", MetricsLog::open(&path, 8).err().unwrap());
        assert!(error.contains("metrics.jsonl: line 2 ") && error.contains("{torn"), "{error}");
    }
}
