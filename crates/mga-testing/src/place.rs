//! A folder of one test, and the program started in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{said, succeed, text};

/// A folder of one test. The program is started in it, with a cache of its own there.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    program: PathBuf,
    variables: Vec<(String, Option<String>)>,
}

impl Place {
    /// Creates an empty place for a program. Only the tests of the program's crate know its path:
    /// `env!("CARGO_BIN_EXE_mga")`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache").display().to_string();
        Self { folder, program: program.into(), variables: vec![("MGA_CACHE".to_owned(), Some(cache))] }
    }

    /// Sets a variable of the environment for every start of the program, or removes it if there is no value.
    pub fn set(&mut self, variable: &str, value: Option<&str>) {
        self.variables.push((variable.to_owned(), value.map(str::to_owned)));
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns a file or folder of that name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders that it lies in.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }

    /// Reads the text of a file.
    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Reads a JSON file.
    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Prepares `command` as the program is started: in this folder, with its variables and an empty standard input.
    pub fn prepared(&self, mut command: Command) -> Command {
        command.current_dir(self.folder()).stdin(Stdio::null());
        for (variable, value) in &self.variables {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        command
    }

    /// Returns the program with these arguments.
    pub fn mga<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        self.prepared(command)
    }

    /// Runs the program and returns its output, whatever its exit status.
    pub fn output(&self, arguments: &[&str]) -> Output {
        self.mga(arguments).output().unwrap()
    }

    /// Runs the program, which must succeed, and returns its standard output.
    pub fn done(&self, arguments: &[&str]) -> String {
        text(&succeed(self.mga(arguments)).stdout)
    }

    /// Runs the program with `--set` settings, which must succeed, and returns its standard output.
    pub fn done_with(&self, arguments: &[&str], set: &[&str]) -> String {
        let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
        self.done(&[arguments, &set].concat())
    }

    /// Runs the program, which must fail, and returns its output (standard error first) and its exit status.
    pub fn refused(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let output = self.output(arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", text(&output.stdout));
        (said(&output) + &text(&output.stdout), output.status.code())
    }

    /// Writes drawn leaves of ten cultivars to the folder `out`: so many pixels a side, so many images to train and to test
    /// on of each. Gives what was said.
    pub fn make_leaves(&self, out: &str, size: usize, train: usize, test: usize) -> String {
        let set = [format!("size={size}"), format!("train_per_class={train}"), format!("test_per_class={test}")];
        self.done_with(&["data", "make", "--dataset", "leaves", "--out", out], &set.each_ref().map(String::as_str))
    }
}
