//! Job arrays of a sweep: their names and files, and which runs their tasks are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use mga_core::whole_file::write_all;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::queue::Task;
use super::script::{Array, script};
use super::settings::SlurmSettings;

/// Tasks of one array at most: SLURM's MaxArraySize is 1001 unless a cluster says otherwise.
const TASKS: usize = 1000;
/// Letters of a sweep's name in a job's name.
const NAME: usize = 24;

/// The folder with the scripts of a sweep, in the sweep's folder.
pub const FOLDER: &str = "slurm";
/// The jobs that were submitted, in that folder.
pub const JOBS: &str = "jobs.json";

/// A line of `jobs.json`: for people, and for `scancel`. What is queued SLURM itself is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The job's number.
    pub job: u64,
    /// The script, next to this file.
    pub script: String,
    /// Number of its tasks.
    pub tasks: usize,
    /// The time of submission, in seconds since 1970.
    pub unix_seconds: u64,
}

/// A script that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub script: PathBuf,
    /// Number of its tasks.
    pub tasks: usize,
}

/// The scripts of one sweep's folder.
#[derive(Debug)]
pub struct Scripts {
    /// The sweep's folder, from the root.
    folder: PathBuf,
    name: String,
}

impl Scripts {
    /// Reads the submissions of the sweep called `name` in `folder`, which must exist.
    ///
    /// # Errors
    /// The folder is not there.
    pub fn of(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("{}: cannot be found", folder.display()))?;
        let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' });
        let short: String = plain.take(NAME).collect();
        // Two sweeps of one name do not take each other's jobs for their own.
        let name = format!("mga-{short}-{}", hash(folder.to_string_lossy().as_bytes()));
        Ok(Self { folder, name })
    }

    /// Writes the scripts that run `keys`, in that order, with the lists of keys beside them.
    ///
    /// The files are named by what they run: to write the same again changes nothing, and no list changes under a task that
    /// is waiting.
    ///
    /// # Errors
    /// Wrong settings; the folder cannot be written to.
    pub fn write(&self, keys: &[&str], settings: &SlurmSettings, program: &Path) -> anyhow::Result<Vec<Written>> {
        let folder = self.folder.join(FOLDER);
        std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let started_in = std::env::current_dir()?;
        let mut written = vec![];
        for keys in keys.chunks(TASKS) {
            let list = keys.join("\n") + "\n";
            let id = hash(list.as_bytes());
            let (list_file, script_file) =
                (folder.join(format!("array-{id}.keys")), folder.join(format!("array-{id}.sh")));
            let text = script(&Array {
                name: &self.job_name(&id),
                folder: &self.folder,
                keys: &list_file,
                tasks: keys.len(),
                program,
                started_in: &started_in,
                settings,
            })?;
            for (path, text) in [(&list_file, &list), (&script_file, &text)] {
                write_all(path, text.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))?;
            }
            written.push(Written { script: script_file, tasks: keys.len() });
        }
        Ok(written)
    }

    /// Returns the runs of this sweep among `tasks`, whoever submitted their script: each key with its task.
    ///
    /// # Errors
    /// The folder of the scripts cannot be read.
    pub fn queued(&self, tasks: &[Task]) -> anyhow::Result<BTreeMap<String, Task>> {
        let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let folder = self.folder.join(FOLDER);
        let unreadable = || format!("{}: cannot be read", folder.display());
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.with_context(unreadable)?.path();
            let id = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("array-"));
            if let Some(id) = id.and_then(|name| name.strip_suffix(".keys")) {
                let list = std::fs::read_to_string(&path).with_context(unreadable)?;
                lists.insert(self.job_name(id), list.lines().map(str::to_owned).collect());
            }
        }
        let key = |task: &Task| lists.get(&task.name)?.get(task.index).cloned();
        Ok(tasks.iter().filter_map(|task| Some((key(task)?, task.clone()))).collect())
    }

    /// Records a job that was submitted.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn note(&self, job: u64, written: &Written) -> anyhow::Result<()> {
        let path = self.folder.join(FOLDER).join(JOBS);
        // The list is for people: one that cannot be read is begun anew, with a word about it.
        let mut jobs: Vec<Submitted> = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                log::info!("note: {}: begun anew, it could not be read: {error}", path.display());
                vec![]
            }),
            Err(_) => vec![],
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        jobs.push(Submitted {
            job,
            script: written.script.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            tasks: written.tasks,
            unix_seconds: now.map_or(0, |elapsed| elapsed.as_secs()),
        });
        let text = serde_json::to_string_pretty(&jobs)? + "\n";
        write_all(&path, text.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))
    }

    fn job_name(&self, id: &str) -> String {
        format!("{}-{id}", self.name)
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_found_by_the_names_of_their_jobs() {
        let folder = tempfile::tempdir().unwrap();
        let scripts = Scripts::of(folder.path(), "leaves | all").unwrap();
        let settings = SlurmSettings::default();
        assert!(scripts.queued(&[]).unwrap().is_empty());
        let first = scripts.write(&["a-1", "b-2"], &settings, Path::new("/mga")).unwrap();
        let again = scripts.write(&["a-1", "b-2"], &settings, Path::new("/mga")).unwrap();
        assert_eq!(first, again);
        scripts.write(&["c-3"], &settings, Path::new("/mga")).unwrap();
        let script = std::fs::read_to_string(&first[0].script).unwrap();
        let name = script.lines().find_map(|line| line.strip_prefix("#SBATCH --job-name=")).unwrap();
        assert!(name.starts_with("mga-leaves___all-"), "{name}");
        let task = |name: &str, index| Task {
            name: name.to_owned(),
            job: 7,
            index,
            state: "PENDING".to_owned(),
            reason: String::new(),
        };
        let queued = scripts.queued(&[task(name, 1), task(name, 9), task("mga-other", 0)]).unwrap();
        assert_eq!(queued.keys().collect::<Vec<_>>(), ["b-2"]);
        // Another sweep of that name has other jobs.
        let other = tempfile::tempdir().unwrap();
        let other = Scripts::of(other.path(), "leaves | all").unwrap();
        other.write(&["a-1", "b-2"], &settings, Path::new("/mga")).unwrap();
        assert!(other.queued(&[task(name, 1)]).unwrap().is_empty());
    }

    #[test]
    fn many_runs_are_several_arrays_and_jobs_are_noted() {
        let folder = tempfile::tempdir().unwrap();
        let scripts = Scripts::of(folder.path(), "many").unwrap();
        let keys: Vec<String> = (0..2001).map(|key| format!("run-{key}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let written = scripts.write(&keys, &SlurmSettings::default(), Path::new("/mga")).unwrap();
        assert_eq!(written.iter().map(|written| written.tasks).collect::<Vec<_>>(), [1000, 1000, 1]);
        let jobs = folder.path().join(FOLDER).join(JOBS);
        scripts.note(71, &written[0]).unwrap();
        scripts.note(72, &written[1]).unwrap();
        let read = || serde_json::from_slice::<Vec<Submitted>>(&std::fs::read(&jobs).unwrap()).unwrap();
        assert_eq!(read().iter().map(|job| job.job).collect::<Vec<_>>(), [71, 72]);
        std::fs::write(&jobs, "[{").unwrap();
        scripts.note(73, &written[2]).unwrap();
        assert_eq!((read()[0].job, read()[0].tasks), (73, 1));
    }
}
