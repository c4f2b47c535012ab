//! Runs of a sweep that lie in its folder under another name: what is done counts by identity, whatever it is called.
//!
//! A folder is named after what tells its run from the others, so an axis that is added, a value that is given up or a
//! variant that is renamed gives the same run another name. [`find`] looks where each planned run lies; [`Plan::take_over`]
//! renames the folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use mga_train::folder_lock::{self, FolderLock};
use mga_train::identity::Identity;
use mga_train::run_folder::RunFolder;

use super::plan::{CELL, Cell, CellRecord, EXPERIMENT, Plan, read_json};
use super::run_state::{RunState, STATE};
use super::state::State;
use super::taken_over::TakenOver;

/// Has every cell that is not in the folder of its own name point to the folder where its run lies, if there is one. What
/// has come furthest is taken. Nothing is moved.
pub(super) fn find(sweep: &Path, cells: &mut [Cell]) {
    let wanting: BTreeMap<String, (usize, u8)> = cells
        .iter()
        .enumerate()
        .filter_map(|(index, cell)| Some((cell.record.id.clone(), (index, wanting(cell)?))))
        .collect();
    if wanting.is_empty() {
        return;
    }
    let planned: BTreeSet<&str> = cells.iter().map(|cell| cell.key.as_str()).collect();
    let mut found: BTreeMap<usize, (u8, String)> = BTreeMap::new();
    for folder in std::fs::read_dir(sweep.join("runs")).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let Some(key) = folder.file_name().and_then(|name| name.to_str()).filter(|key| !planned.contains(key)) else {
            continue;
        };
        let Some(&(index, own)) = id(&folder).and_then(|id| wanting.get(&id)) else { continue };
        let rank = rank(&folder);
        // Of equals the first by name, whatever order the system lists them in.
        let better =
            found.get(&index).is_none_or(|(known, name)| rank > *known || rank == *known && key < name.as_str());
        if rank > own && better {
            found.insert(index, (rank, key.to_owned()));
        }
    }
    for (index, (_, key)) in found {
        if let Some(cell) = cells.get_mut(index) {
            cell.lies_in(sweep, key);
        }
    }
}

/// How far the run in the cell's own folder has come, where one that has come further may take its place; `None`: the
/// folder holds the run that is asked for.
fn wanting(cell: &Cell) -> Option<u8> {
    let folder = cell.folder();
    if !folder.is_dir() {
        return Some(0);
    }
    match Identity::of_run(folder) {
        Ok(Some(found)) if found.id == cell.record.id => None,
        Ok(Some(_)) => Some(0),
        Ok(None) if !RunFolder::at(folder).experiment().exists() => Some(rank(folder)),
        _ => None,
    }
}

/// The identity of the run in a folder: its own, or of one that has not begun, the planned one.
fn id(folder: &Path) -> Option<String> {
    match Identity::of_run(folder).ok()? {
        Some(identity) => Some(identity.id),
        None => read_json::<CellRecord>(&folder.join(CELL)).ok().map(|record| record.id).filter(|id| !id.is_empty()),
    }
}

/// How much would be lost without the run in a folder.
fn rank(folder: &Path) -> u8 {
    match State::of_run(folder).state {
        RunState::Waiting => 1,
        RunState::Failed => 2,
        RunState::Interrupted | RunState::Unfinished => 3,
        RunState::Running => 4,
        RunState::Finished => 5,
    }
}

impl Plan {
    /// Gives the folders of runs that lie under other names the names of their cells. Where that cannot be, because a
    /// process works there or another run is in the way, the cell takes the folder's name instead; so it does where `busy`
    /// says that a process is about to work there.
    ///
    /// # Errors
    /// A folder that cannot be moved.
    pub fn take_over(&mut self, busy: &dyn Fn(&Cell) -> bool) -> anyhow::Result<Vec<TakenOver>> {
        let folder = self.folder.clone();
        self.cells.iter_mut().filter_map(|cell| take_over(&folder, cell, busy).transpose()).collect()
    }

    /// Returns the runs that have other names, which [`Plan::take_over`] would rename.
    #[must_use]
    pub fn found(&self) -> Vec<TakenOver> {
        let cells = self.cells.iter().filter_map(|cell| Some((cell, cell.from.as_ref()?)));
        let told = |(cell, from): (&Cell, &String)| TakenOver {
            from: from.clone(),
            key: cell.key.clone(),
            state: cell.state().state,
        };
        cells.map(told).collect()
    }
}

fn take_over(sweep: &Path, cell: &mut Cell, busy: &dyn Fn(&Cell) -> bool) -> anyhow::Result<Option<TakenOver>> {
    let Some(from) = cell.from.take() else { return Ok(None) };
    let busy = busy(cell);
    let (old, new) = (cell.folder().to_path_buf(), sweep.join("runs").join(&cell.key));
    if busy || is_used(&old) || !clear_name(&new, &cell.key)? {
        cell.key.clone_from(&from);
    } else {
        std::fs::rename(&old, &new)
            .with_context(|| format!("{}: cannot be moved to {}", old.display(), new.display()))?;
        cell.lies_at(new);
    }
    Ok(Some(TakenOver { from, key: cell.key.clone(), state: cell.state().state }))
}

/// Whether a process works in the folder, or may be about to: what it has open by name must keep that name.
fn is_used(folder: &Path) -> bool {
    FolderLock::holder(folder).is_some()
        || State::of_file(folder).is_some_and(|state| state.state == RunState::Running)
            && !RunFolder::at(folder).summary().is_file()
}

/// Clears the name `key` at `folder`: of a run that was only planned, whose files are written anew, and of another run by
/// moving it aside. False: something else is there, and stays.
fn clear_name(folder: &Path, key: &str) -> anyhow::Result<bool> {
    if !folder.exists() {
        return Ok(true);
    }
    if is_used(folder) {
        return Ok(false);
    }
    let failed = || format!("{}: cannot be moved", folder.display());
    if let Some(other) = Identity::of_run(folder)? {
        let aside = folder.with_file_name(format!("{key}-other-{}", other.id));
        if aside.exists() {
            return Ok(false);
        }
        std::fs::rename(folder, &aside).with_context(failed)?;
        return Ok(true);
    }
    let mut files = vec![];
    for entry in std::fs::read_dir(folder).with_context(failed)? {
        let name = entry.with_context(failed)?.file_name();
        if ![CELL, EXPERIMENT, STATE, folder_lock::FILE].iter().any(|known| name == *known) {
            return Ok(false);
        }
        files.push(folder.join(name));
    }
    files.iter().try_for_each(std::fs::remove_file).with_context(failed)?;
    std::fs::remove_dir(folder).with_context(failed)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    struct Sweep(tempfile::TempDir);

    impl Sweep {
        fn write(&self, key: &str, name: &str, text: &str) {
            let folder = self.0.path().join("runs").join(key);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(name), text).unwrap();
        }

        /// A run of that identity, as far as that.
        fn run(&self, key: &str, id: &str, files: &[&str]) {
            let cell = json!({ "sweep": "s", "variant": null, "settings": {}, "replicate": {}, "order": 0,
                               "baseline": false, "id": id });
            self.write(key, CELL, &cell.to_string());
            if !files.is_empty() {
                let identity = json!({ "id": id, "experiment": "e", "data": "d", "weights": "none", "numerics": 1,
                                       "classes": 2 });
                self.write(key, "identity.json", &identity.to_string());
            }
            files.iter().for_each(|name| self.write(key, name, "{}"));
        }

        fn plan(&self, cells: &[(&str, &str)]) -> Plan {
            let cell = |(key, id): &(&str, &str)| {
                let record = CellRecord {
                    sweep: "s".to_owned(),
                    variant: None,
                    settings: Map::new(),
                    replicate: Map::new(),
                    order: 0,
                    baseline: false,
                    draw: None,
                    id: (*id).to_owned(),
                };
                Cell::new(self.0.path(), (*key).to_owned(), record, "cpu".to_owned(), 1)
            };
            let mut cells: Vec<Cell> = cells.iter().map(cell).collect();
            find(self.0.path(), &mut cells);
            Plan {
                name: "s".to_owned(),
                folder: self.0.path().to_path_buf(),
                search: Default::default(),
                metric: Default::default(),
                lower_is_better: false,
                launcher: Default::default(),
                cells,
            }
        }

        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(self.0.path().join("runs")).unwrap();
            let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    fn pairs(taken: &[TakenOver]) -> Vec<(&str, &str)> {
        taken.iter().map(|taken| (taken.from.as_str(), taken.key.as_str())).collect()
    }

    #[test]
    fn the_run_that_came_furthest_is_taken_and_nothing_moves_before() {
        let sweep = Sweep(tempfile::tempdir().unwrap());
        sweep.run("a-1111", "1111", &["experiment.toml"]);
        sweep.run("old.a-1111", "1111", &["experiment.toml", "summary.json"]);
        sweep.run("older.a-1111", "1111", &["experiment.toml", "summary.json"]);
        sweep.run("set-aside-other-2222", "2222", &["experiment.toml"]);
        sweep.run("waits-3333", "3333", &[]);
        sweep.run("stranger-4444", "4444", &["summary.json"]);
        let mut plan =
            sweep.plan(&[("new.a-1111", "1111"), ("b-2222", "2222"), ("c-3333", "3333"), ("d-5555", "5555")]);
        let expected = [("old.a-1111", "new.a-1111"), ("set-aside-other-2222", "b-2222"), ("waits-3333", "c-3333")];
        assert_eq!(pairs(&plan.found()), expected);
        assert_eq!(plan.cells[0].state().state, RunState::Finished);
        assert!(sweep.names().contains(&"old.a-1111".to_owned()) && !sweep.names().contains(&"new.a-1111".to_owned()));
        assert_eq!(pairs(&plan.take_over(&|_| false).unwrap()), expected);
        assert_eq!(
            sweep.names(),
            ["a-1111", "b-2222", "c-3333", "new.a-1111", "older.a-1111", "stranger-4444"],
            "the others stay"
        );
        assert_eq!((plan.cells[0].state().state, plan.found()), (RunState::Finished, vec![]));
        // Once more: each is in its place.
        assert_eq!(sweep.plan(&[("new.a-1111", "1111"), ("b-2222", "2222")]).found(), []);
    }

    #[test]
    fn a_run_that_is_worked_on_keeps_its_name() {
        let sweep = Sweep(tempfile::tempdir().unwrap());
        sweep.run("a-1111", "1111", &["experiment.toml"]);
        let lock = FolderLock::take(&sweep.0.path().join("runs/a-1111"), "trains").unwrap();
        let mut plan = sweep.plan(&[("new.a-1111", "1111")]);
        let taken = plan.take_over(&|_| false).unwrap();
        assert_eq!(pairs(&taken), [("a-1111", "a-1111")]);
        assert!(taken[0].told().contains("keeps its name"), "{}", taken[0].told());
        assert_eq!((plan.cells[0].key.as_str(), plan.cells[0].state().state), ("a-1111", RunState::Running));
        drop(lock);
        // One whose task has been started and has not come to its lock.
        sweep.write(
            "a-1111",
            STATE,
            r#"{"state": "running", "attempts": 1, "error": null, "seconds": 0.0,
                                        "process": {"id": 1, "host": "elsewhere"}}"#,
        );
        assert_eq!(
            pairs(&sweep.plan(&[("new.a-1111", "1111")]).take_over(&|_| false).unwrap()),
            [("a-1111", "a-1111")]
        );
        std::fs::remove_file(sweep.0.path().join("runs/a-1111").join(STATE)).unwrap();
        assert_eq!(
            pairs(&sweep.plan(&[("new.a-1111", "1111")]).take_over(&|_| false).unwrap()),
            [("a-1111", "new.a-1111")]
        );
    }

    #[test]
    fn what_is_in_the_way_is_never_lost() {
        let sweep = Sweep(tempfile::tempdir().unwrap());
        // Planned under its new name already, by a version that did not look for it.
        sweep.run("old-1111", "1111", &["experiment.toml", "summary.json"]);
        sweep.run("new-1111", "1111", &[]);
        // Another run under the name.
        sweep.run("old-2222", "2222", &["experiment.toml", "summary.json"]);
        sweep.run("new-2222", "9999", &["experiment.toml", "summary.json"]);
        // Something that nobody knows.
        sweep.run("old-3333", "3333", &["experiment.toml", "summary.json"]);
        sweep.run("new-3333", "3333", &[]);
        sweep.write("new-3333", "notes.txt", "mine");
        let planned = [("new-1111", "1111"), ("new-2222", "2222"), ("new-3333", "3333")];
        let taken = sweep.plan(&planned).take_over(&|_| false).unwrap();
        assert_eq!(pairs(&taken), [("old-1111", "new-1111"), ("old-2222", "new-2222"), ("old-3333", "old-3333")]);
        assert_eq!(sweep.names(), ["new-1111", "new-2222", "new-2222-other-9999", "new-3333", "old-3333"]);
        // A run that has begun itself is the one that counts, and both stay.
        sweep.run("old-4444", "4444", &["experiment.toml", "summary.json"]);
        sweep.run("new-4444", "4444", &["experiment.toml"]);
        assert_eq!(sweep.plan(&[("new-4444", "4444")]).found(), []);
    }
}
