//! Finding runs: sweep folders, folders of runs, single runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::arms::derive_cells;
use super::json_file;
use super::record::Record;
use super::search::SearchSpace;

/// Something that was found and is no run, or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The path that the note is about.
    pub path: PathBuf,
    /// The problem, and what was done about it.
    pub message: String,
}

/// The runs of some folders.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Results {
    /// The name of the collection: the sweep's name, else the first folder's.
    pub name: String,
    /// The runs, in the sweep's order.
    pub records: Vec<Record>,
    /// Runs that `plan.json` does not list: of an earlier version of the sweep file, its base, the data or the program. They
    /// are kept, and not counted.
    pub earlier: Vec<Record>,
    /// Notes on folders that are not runs and were left out.
    pub notes: Vec<Note>,
    /// The search, if the runs belong to one random or TPE search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchSpace>,
}

impl Results {
    /// Returns all notes: those on folders that were left out, and those on runs.
    pub fn all_notes(&self) -> impl Iterator<Item = Note> + '_ {
        let of_runs = self.records.iter().flat_map(|record| {
            record.notes.iter().map(|message| Note { path: record.folder.clone(), message: message.clone() })
        });
        self.notes.iter().cloned().chain(of_runs)
    }
}

/// Reads runs: each path is a sweep's folder, a folder of runs, or a run's folder.
///
/// # Errors
/// A path is not there, or holds no run at all.
pub fn read<P: AsRef<Path>>(paths: &[P]) -> anyhow::Result<Results> {
    let mut results = Results::default();
    for path in paths.iter().map(AsRef::as_ref) {
        let before = results.records.len();
        std::fs::read_dir(path)
            .with_context(|| format!("{}: expected the folder of a sweep or a run", path.display()))?;
        if let Some(record) = Record::read(path) {
            results.records.push(record);
        } else {
            let runs = path.join("runs");
            read_folder(if runs.is_dir() { &runs } else { path }, &mut results)?;
            set_earlier_apart(path, before, &mut results);
        }
        anyhow::ensure!(
            results.records.len() > before || !results.earlier.is_empty(),
            "{}: there is no run in it: expected runs/KEY/cell.json (a sweep), or experiment.toml (a run) in it or in the \
             folders of it",
            path.display()
        );
    }
    if let [path] = paths {
        let mut notes = vec![];
        results.search = SearchSpace::read(path.as_ref(), &mut notes);
        let path = path.as_ref();
        results.notes.extend(notes.into_iter().map(|message| Note { path: path.to_path_buf(), message }));
    }
    derive_cells(&mut results.records);
    // By the sweep's order; folders that say nothing of it keep the order of their names.
    results.records.sort_by(|a, b| (a.cell.order, &a.key).cmp(&(b.cell.order, &b.key)));
    let named = results.records.iter().find_map(|record| record.cell.sweep.clone());
    let folder = paths.first().and_then(|path| std::fs::canonicalize(path).ok());
    results.name = named
        .or_else(|| Some(folder?.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| "runs".to_owned());
    Ok(results)
}

/// The part of `plan.json` that says which runs are in force.
#[derive(Deserialize)]
struct Plan {
    cells: Vec<PlannedCell>,
}

#[derive(Deserialize)]
struct PlannedCell {
    key: String,
}

/// Takes the records from `begin` on apart that the sweep in `folder` has no longer in force.
fn set_earlier_apart(folder: &Path, begin: usize, results: &mut Results) {
    let mut notes = vec![];
    let plan: Option<Plan> = json_file::read(folder, "plan.json", &mut notes);
    results.notes.extend(notes.into_iter().map(|message| Note { path: folder.to_path_buf(), message }));
    let Some(plan) = plan else { return };
    let keys: BTreeSet<&str> = plan.cells.iter().map(|cell| cell.key.as_str()).collect();
    let (kept, earlier): (Vec<_>, Vec<_>) =
        results.records.split_off(begin).into_iter().partition(|record| keys.contains(record.key.as_str()));
    let missing = keys.len() - kept.len();
    let mut say = |n: usize, message: &str| {
        if n > 0 {
            results.notes.push(Note { path: folder.to_path_buf(), message: format!("{n} {message}") });
        }
    };
    say(
        earlier.len(),
        "of its runs are of an earlier version of the sweep, its data or the program: kept, and not counted",
    );
    say(missing, "of its planned runs have no folder yet");
    results.records.extend(kept);
    results.earlier.extend(earlier);
}

fn read_folder(folder: &Path, results: &mut Results) -> anyhow::Result<()> {
    let failed = || format!("{}: cannot be listed", folder.display());
    let mut paths = vec![];
    for entry in std::fs::read_dir(folder).with_context(failed)? {
        paths.push(entry.with_context(failed)?.path());
    }
    paths.sort();
    for path in paths.into_iter().filter(|path| path.is_dir()) {
        match Record::read(&path) {
            Some(record) => results.records.push(record),
            None => results.notes.push(Note {
                path,
                message: "not a run: it has neither cell.json nor experiment.toml nor summary.json; left out"
                    .to_owned(),
            }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::RunState;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_sweep_with_a_stranger_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (key, order, seed) in [("b", 0, 1), ("a", 1, 2)] {
            let cell = format!(r#"{{"sweep": "attention", "order": {order}, "replicate": {{"seed": {seed}}}}}"#);
            write(root, &format!("runs/{key}/cell.json"), &cell);
        }
        write(root, "runs/a/summary.json", r#"{"last": {"top1": 0.5}}"#);
        write(root, "runs/holiday/photo.txt", "");
        write(root, "sweep.toml", "");
        let results = read(&[root]).unwrap();
        assert_eq!(results.name, "attention");
        assert_eq!(
            results.records.iter().map(|r| (&*r.key, r.state)).collect::<Vec<_>>(),
            [("b", RunState::Waiting), ("a", RunState::Finished)]
        );
        assert_eq!(results.records[1].metric("top1"), Some(0.5));
        assert_eq!(results.notes.len(), 1);
        assert!(results.all_notes().any(|note| note.path.ends_with("runs/holiday")));
        let nothing = read(&[root.join("runs/holiday")]).unwrap_err().to_string();
        assert!(nothing.contains("there is no run in it"), "{nothing}");
        assert!(read(&[root.join("nowhere")]).unwrap_err().to_string().contains("expected the folder"));
    }

    #[test]
    fn runs_that_the_plan_no_longer_lists_are_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for key in ["new", "old"] {
            write(root, &format!("runs/{key}/cell.json"), r#"{"sweep": "s"}"#);
        }
        write(root, "plan.json", r#"{"sweep": "s", "cells": [{"key": "new", "id": "1"}, {"key": "next", "id": "2"}]}"#);
        let results = read(&[root]).unwrap();
        let keys = |records: &[Record]| records.iter().map(|record| record.key.clone()).collect::<Vec<_>>();
        assert_eq!((keys(&results.records), keys(&results.earlier)), (vec!["new".to_owned()], vec!["old".to_owned()]));
        let notes: Vec<_> = results.notes.iter().map(|note| note.message.as_str()).collect();
        assert!(
            notes[0].contains("1 of its runs are of an earlier") && notes[1].contains("1 of its planned runs"),
            "{notes:?}"
        );
        write(root, "plan.json", "{");
        let torn = read(&[root]).unwrap();
        assert!(torn.records.len() == 2 && torn.notes[0].message.contains("plan.json cannot be understood"));
    }

    #[test]
    fn runs_outside_a_sweep_are_told_apart_by_their_settings() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (name, attention, seed) in [("a", "none", 1), ("b", "none", 2), ("c", "residual", 1)] {
            let text =
                format!("name = \"{name}\"\nseed = {seed}\n[model]\nattention = \"{attention}\"\nbackbone = \"conv4\"");
            write(root, &format!("{name}/experiment.toml"), &text);
        }
        let several = read(&[root.join("a"), root.join("b"), root.join("c")]).unwrap();
        let together = read(&[root]).unwrap();
        assert_eq!(several.records, together.records);
        let cells: Vec<_> = several.records.iter().map(|r| (r.cell.arm_key(), r.cell.replicate_key())).collect();
        assert_eq!(cells[0], ("model.attention=\"none\"".to_owned(), "seed=1".to_owned()));
        assert_eq!((&cells[0].0, &cells[0].1), (&cells[1].0, &cells[2].1));
        assert_ne!(cells[0].0, cells[2].0);
    }
}
