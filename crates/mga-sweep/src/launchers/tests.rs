//! A launcher of a downstream crate: a file like this one, and one line that registers it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mga_experiment::Overrides;
use mga_train::interrupt::Interrupt;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::follower::Follower;
use crate::plan::{Cell, Plan};
use crate::planner::Planner;
use crate::rounds::PlannedRounds;
use crate::state::State;
use crate::takeover::TakenOver;

/// Writes a command for each run that is left into a file.
struct ToFile;

/// Its keys of `[launcher]`.
#[derive(Debug, Deserialize, JsonSchema)]
struct ToFileSettings {
    /// The file, in the sweep's folder.
    #[serde(default = "commands")]
    commands: String,
}

fn commands() -> String {
    "commands.txt".to_owned()
}

impl Launcher for ToFile {
    fn name(&self) -> &'static str {
        "to-file"
    }

    fn about(&self) -> &'static str {
        "nobody: the commands are written to a file"
    }

    fn settings(&self) -> Option<Schema> {
        settings_schema::<ToFileSettings>()
    }

    fn waits(&self) -> bool {
        false
    }

    fn launch(&self, sweep: &mut Launch<'_>) -> anyhow::Result<()> {
        sweep.plan.write()?;
        let left = Left::of(&sweep.plan, sweep.request.retry, &BTreeMap::new(), sweep.teller)?;
        let file = settings::<ToFileSettings>(&sweep.plan.launcher)?.commands;
        let folder = sweep.plan.folder.display();
        let lines = left.cells.iter().map(|(cell, _)| format!("mga sweep-task \"{folder}\" {}\n", cell.key));
        std::fs::write(sweep.plan.folder.join(&file), lines.collect::<String>())?;
        sweep.teller.line(&format!("{} commands are in {file}", left.cells.len()));
        Ok(())
    }
}

/// Keeps the lines that it is told.
#[derive(Default)]
struct Lines(Vec<String>);

impl Follower for Lines {
    fn started(&mut self, _: &Cell) {}
    fn elsewhere(&mut self, _: &Cell) {}
    fn ended(&mut self, _: &Cell, _: &State, _: f64) {}
    fn tick(&self) {}
}

impl Teller for Lines {
    fn line(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }

    fn object(&mut self, _: Value) {}
    fn taken_over(&mut self, _: &[TakenOver]) {}
    fn planned(&mut self, _: &Plan) {}
    fn known(&mut self, _: &Cell) {}
    fn standing(&mut self, _: usize, _: usize, _: usize) {}
    fn at_once(&mut self, _: usize) {}
    fn expect(&mut self, _: f64, _: usize) {}

    fn end(&mut self, _: bool) -> usize {
        0
    }
}

const BASE: &str = "seed = 1\ndevice = \"cpu\"\n[data]\ndataset = \"leaves\"\ncultivars = 10\ntrain_per_class = 3\n\
                    test_per_class = 1\nsize = 32\nvalidation = { per_class = 1 }\n[model]\nbackbone = \"conv4\"\n\
                    attention = \"none\"\nmask_guidance = false\n[schedule]\nepochs = 1\n";

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn a_launcher_is_one_file_and_one_line_of_registration() {
    let components = mga_train::builtin().with_launcher(Arc::new(ToFile));
    let names: Vec<String> = launchers(&components).into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["local", "slurm", "to-file"]);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "base.toml", BASE);
    let sweep =
        "base = \"base.toml\"\n[axes]\nseed = [1, 2]\n[launcher]\ncommands = \"todo.txt\"\npartition = \"main\"\n";
    write(folder.path(), "sweep.toml", sweep);
    let (file, out) = (folder.path().join("sweep.toml"), folder.path().join("out"));
    let mut planner = Planner::read(&file, Overrides::default(), &components).unwrap();
    let interrupt = Interrupt::default();
    let mut rounds = PlannedRounds::new(&mut planner, &out, &interrupt).unwrap();
    let (plan, mut lines) = (rounds.first().unwrap(), Lines::default());
    let launcher = components.launcher("to-file").unwrap();
    let request = Request::default();
    launcher
        .launch(&mut Launch { plan, rounds: &mut rounds, request, interrupt: &interrupt, teller: &mut lines })
        .unwrap();
    assert_eq!(lines.0, ["2 commands are in todo.txt"]);
    let written = std::fs::read_to_string(out.join("todo.txt")).unwrap();
    let commands: Vec<&str> = written.lines().collect();
    assert!(commands.len() == 2 && commands[0].starts_with("mga sweep-task \"/"), "{written}");
    assert!(commands[1].contains("\" seed-2-"), "{written}");
}

#[test]
fn an_unknown_launcher_is_answered_with_those_that_there_are() {
    let error = mga_train::builtin().launcher("slrum").err().unwrap().to_string();
    assert!(error.starts_with("--launcher slrum: there is no such launcher, did you mean `slurm`?"), "{error}");
    assert!(error.contains("`local` (this command, on this machine) or `slurm` (SLURM"), "{error}");
}

#[test]
fn the_keys_of_an_unregistered_launcher_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "base.toml", BASE);
    write(folder.path(), "sweep.toml", "base = \"base.toml\"\n[launcher]\ncommands = \"todo.txt\"\n");
    let components = mga_train::builtin();
    let error = Planner::read(&folder.path().join("sweep.toml"), Overrides::default(), &components).err().unwrap();
    assert!(error.to_string().contains("commands"), "{error}");
}
