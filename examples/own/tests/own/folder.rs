//! A folder that the program is started in, and what two runs are compared by.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// An experiment of this crate.
pub(crate) fn experiment(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments").join(name)
}

/// A folder for runs.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `mga-own` with these arguments, started in the folder.
    pub(crate) fn own(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mga-own"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    /// `mga-own COMMAND EXPERIMENT` with more arguments.
    pub(crate) fn on(&self, command: &str, name: &str, arguments: &[&str]) -> Command {
        let mut started = self.own(&[command]);
        started.arg(experiment(name)).args(arguments);
        started
    }

    /// The lines of the log of run `out`, without the speed.
    pub(crate) fn log(&self, out: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(out).join("metrics.jsonl")).unwrap_or_default();
        // The last line may be half written.
        let mut lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        lines.iter_mut().filter_map(Value::as_object_mut).for_each(|line| drop(line.remove("images_per_second")));
        lines
    }

    /// The tensors of the checkpoint `name` of run `out`, to the bit.
    pub(crate) fn tensors(&self, out: &str, name: &str) -> BTreeMap<String, Vec<u8>> {
        self.tensors_of(&format!("{out}/checkpoints/{name}"))
    }

    /// The tensors of a file, to the bit.
    pub(crate) fn tensors_of(&self, file: &str) -> BTreeMap<String, Vec<u8>> {
        let bytes = std::fs::read(self.path(file)).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        tensors.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect()
    }

    /// A file of run `out`.
    pub(crate) fn read(&self, out: &str, name: &str) -> String {
        std::fs::read_to_string(self.path(out).join(name)).unwrap()
    }
}

/// Runs to the end, which has to be a good one; gives what was said on standard output.
pub(crate) fn succeed(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs to the end, which has to be an error; gives what was said on standard error.
pub(crate) fn fail(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{command:?}: {}", said(&output));
    said(&output)
}

/// Standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
