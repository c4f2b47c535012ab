//! The script of a job array: one run of the sweep a task.

use std::path::Path;

use askama::Template;

use super::settings::SlurmSettings;

/// A job array.
#[derive(Debug, Clone)]
pub struct Array<'a> {
    /// The job's name.
    pub name: &'a str,
    /// The sweep's folder, from the root.
    pub folder: &'a Path,
    /// The file with the keys of the runs, one a line, from the root.
    pub keys: &'a Path,
    /// The number of tasks.
    pub tasks: usize,
    /// The program, from the root.
    pub program: &'a Path,
    /// The folder it was started in; relative paths in experiments start there.
    pub started_in: &'a Path,
    /// The resources of a run.
    pub settings: &'a SlurmSettings,
}

/// `job.sh`, whose placeholders are these fields.
///
/// Before the time limit SLURM sends SIGUSR1 to the script alone, which has the run save and end by SIGTERM, and puts the
/// task back into the queue. It is not SIGTERM that SLURM sends, because `scancel` sends that: a task that is cancelled saves
/// too, and stays out of the queue.
#[derive(Template)]
#[template(path = "launchers/slurm/job.sh")]
struct Job<'a> {
    /// Options of sbatch. They are lines of SLURM's own, not of the shell.
    options: &'a [String],
    started_in: &'a str,
    /// Lines of shell, as the sweep file has them.
    setup: &'a [String],
    program: &'a str,
    folder: &'a str,
    keys: &'a str,
    requeues: u32,
    starts: u64,
}

/// Returns the script. Weights and data are in the cache when it is submitted: runs open no connection.
///
/// # Errors
/// A path that a script cannot hold; a wrong option of sbatch.
pub fn script(array: &Array<'_>) -> anyhow::Result<String> {
    let settings = array.settings;
    let mut options = own_options(array)?;
    options.extend(settings.sbatch_options()?);
    let job = Job {
        options: &options,
        started_in: text(array.started_in)?,
        setup: &settings.setup,
        program: text(array.program)?,
        folder: text(array.folder)?,
        keys: text(array.keys)?,
        requeues: settings.requeues,
        starts: u64::from(settings.requeues) + 1,
    };
    Ok(job.render()? + "\n")
}

/// Options of sbatch that every job has.
fn own_options(array: &Array<'_>) -> anyhow::Result<Vec<String>> {
    let (settings, last) = (array.settings, array.tasks.saturating_sub(1));
    let limit = if settings.concurrent == 0 { String::new() } else { format!("%{}", settings.concurrent) };
    let logs = array.folder.join("slurm").join("log-%A_%a.txt");
    Ok(vec![
        format!("--job-name={}", array.name),
        format!("--array=0-{last}{limit}"),
        format!("--output=\"{}\"", for_sbatch(array.folder, &logs)?),
        "--open-mode=append".to_owned(),
        "--nodes=1".to_owned(),
        "--ntasks=1".to_owned(),
        "--requeue".to_owned(),
        format!("--signal=B:USR1@{}", settings.save_before),
    ])
}

/// A path in `folder` as sbatch reads it, in quotes: it has no way to say a quote itself, nor a percent sign.
fn for_sbatch<'a>(folder: &Path, path: &'a Path) -> anyhow::Result<&'a str> {
    anyhow::ensure!(
        !folder.to_string_lossy().contains('%'),
        "{}: SLURM reads % in paths as its own; take another folder",
        folder.display()
    );
    let text = text(path)?;
    anyhow::ensure!(
        !text.contains(['"', '\\', '`', '$']),
        "{}: quotes, $ and \\ cannot stand in the path of a sweep that SLURM runs; take another folder",
        folder.display()
    );
    Ok(text)
}

/// A path as text on one line.
fn text(path: &Path) -> anyhow::Result<&str> {
    let text = path.to_str().filter(|text| !text.contains(['\n', '\r', '\0']));
    text.ok_or_else(|| anyhow::anyhow!("{}: the paths of a job script have to be text on one line", path.display()))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::path::PathBuf;
    use std::process::{Command, Output, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    /// A sweep of two tasks whose program is a shell script, and a `scontrol` that says what it was asked.
    struct Stage(tempfile::TempDir);

    impl Stage {
        fn new(program: &str) -> Self {
            let stage = Self(tempfile::tempdir().unwrap());
            stage.executable("program", &format!("#!/bin/bash\necho \"$@\" >>called\n{program}"));
            stage.executable("scontrol", "#!/bin/bash\necho scontrol \"$@\" >>called\n");
            std::fs::write(stage.path("keys"), "first-1a\nsecond run-2b\n").unwrap();
            stage
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn executable(&self, name: &str, text: &str) {
            std::fs::write(self.path(name), text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(self.path(name), mode).unwrap();
        }

        fn script(&self, settings: &SlurmSettings) -> String {
            script(&Array {
                name: "mga-test",
                folder: &self.path("sweep"),
                keys: &self.path("keys"),
                tasks: 2,
                program: &self.path("program"),
                started_in: self.0.path(),
                settings,
            })
            .unwrap()
        }

        /// Runs task 1 after `restarts` requeues; sends `signal` once the program was called. Gives the output and what was
        /// called.
        fn task(&self, signal: Option<&str>, restarts: u32) -> (Output, String) {
            std::fs::write(self.path("job.sh"), self.script(&SlurmSettings { requeues: 3, ..Default::default() }))
                .unwrap();
            let path = format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap());
            let job = Command::new("bash")
                .arg(self.path("job.sh"))
                .envs([("SLURM_ARRAY_JOB_ID", "70"), ("SLURM_ARRAY_TASK_ID", "1"), ("PATH", &path)])
                .env("SLURM_RESTART_COUNT", restarts.to_string())
                .current_dir("/")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let called = || std::fs::read_to_string(self.path("called")).unwrap_or_default();
            if let Some(signal) = signal {
                let started = Instant::now();
                while !called().contains("listening") {
                    assert!(started.elapsed() < Duration::from_secs(30), "the program was not started");
                    std::thread::sleep(Duration::from_millis(5));
                }
                assert!(Command::new("kill").args(["-s", signal, &job.id().to_string()]).status().unwrap().success());
            }
            let output = job.wait_with_output().unwrap();
            (output, called())
        }
    }

    /// Saves for a moment when it is asked to end.
    const RUNS: &str = "trap 'sleep 0.2; echo saved >>called; exit 130' TERM\necho listening >>called\n\
                        for _ in $(seq 300); do sleep 0.1; done\n";

    #[test]
    fn the_script_says_what_was_asked_for() {
        let settings = SlurmSettings {
            concurrent: 8,
            cpus: Some(4),
            setup: vec!["module load cuda".to_owned()],
            ..SlurmSettings::default()
        };
        let text = Stage::new("").script(&settings);
        for line in [
            "#SBATCH --array=0-1%8\n",
            "#SBATCH --signal=B:USR1@120\n",
            "#SBATCH --requeue\n",
            "#SBATCH --cpus-per-task=4\n",
            "\nexport HF_HUB_OFFLINE=1\n",
            "\nmodule load cuda\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn a_task_runs_its_line_and_ends_as_the_run_ends() {
        let (output, called) = Stage::new("exit 0").task(None, 0);
        assert_eq!(output.status.code(), Some(0));
        assert!(called.starts_with("sweep-task ") && called.ends_with("/sweep second run-2b\n"), "{called}");
        assert_eq!(Stage::new("exit 1").task(None, 0).0.status.code(), Some(1));
        let killed = Stage::new("kill -KILL $$").task(None, 0);
        assert_eq!((killed.0.status.code(), killed.1.contains("scontrol")), (Some(137), false));
    }

    #[test]
    fn at_the_time_limit_it_saves_and_goes_back_into_the_queue() {
        let (_, called) = Stage::new(RUNS).task(Some("USR1"), 2);
        assert!(called.ends_with("saved\nscontrol requeue 70_1\n"), "{called}");
        // Not for ever.
        let (output, called) = Stage::new(RUNS).task(Some("USR1"), 3);
        assert!(called.ends_with("saved\n"), "{called}");
        assert_eq!(output.status.code(), Some(130));
        // A run that fails at that moment has failed.
        let (output, called) = Stage::new(&RUNS.replace("exit 130", "exit 1")).task(Some("USR1"), 0);
        assert_eq!((output.status.code(), called.contains("scontrol")), (Some(1), false));
    }

    #[test]
    fn cancelled_it_saves_and_stays_out_of_the_queue() {
        let (output, called) = Stage::new(RUNS).task(Some("TERM"), 0);
        assert_eq!(output.status.code(), Some(130));
        assert!(called.ends_with("saved\n"), "{called}");
    }

    #[test]
    fn paths_that_a_script_cannot_hold_are_refused() {
        let settings = SlurmSettings::default();
        let of = |folder: &str| {
            let folder = Path::new(folder);
            let array = Array {
                name: "mga",
                folder,
                keys: folder,
                tasks: 1,
                program: Path::new("/mga"),
                started_in: folder,
                settings: &settings,
            };
            script(&array)
        };
        assert!(of("/a folder/b").is_ok());
        for wrong in ["/a\"b", "/a$b", "/100%A"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
