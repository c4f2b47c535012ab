//! The program beside a stand-in, with a cache and a home of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::stand_in::StandIn;

pub(crate) struct Bench {
    pub(crate) server: StandIn,
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { server: StandIn::start(), folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.path("home/hub")
    }

    /// What every start of the program needs.
    pub(crate) fn prepared(&self, mut command: Command) -> Command {
        for variable in ["HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN_PATH", "http_proxy", "HTTP_PROXY"] {
            command.env_remove(variable);
        }
        command
            .env("HF_ENDPOINT", self.server.url())
            .env("HF_HOME", self.path("home"))
            .env("MGA_CACHE", self.path("made"))
            .stdin(Stdio::null());
        command.current_dir(self.folder.path());
        command
    }

    pub(crate) fn mga(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mga"));
        command.args(arguments);
        self.prepared(command)
    }

    /// Standard output of a success.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let (output, errors) = self.both(arguments);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        text(&output.stdout)
    }

    /// Standard error of a failure, and its exit status.
    pub(crate) fn refused(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let (output, errors) = self.both(arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", text(&output.stdout));
        (errors, output.status.code())
    }

    pub(crate) fn both(&self, arguments: &[&str]) -> (Output, String) {
        let output = self.mga(arguments).output().unwrap();
        let errors = text(&output.stderr);
        (output, errors)
    }

    /// Files in the cache but locks, below its folder.
    pub(crate) fn cached(&self) -> Vec<String> {
        let mut found = vec![];
        walk(&self.cache(), &mut found);
        let name = |path: &PathBuf| path.strip_prefix(self.cache()).unwrap().to_string_lossy().into_owned();
        let mut names: Vec<String> = found.iter().map(name).filter(|name| !name.starts_with(".locks")).collect();
        names.sort();
        names
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { walk(&entry.path(), found) } else { found.push(entry.path()) }
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
