//! The script of a job array: one run of the sweep a task.

use std::path::Path;

use crate::launchers::settings::LauncherSettings;

/// What a job array runs.
#[derive(Debug, Clone)]
pub struct Array<'a> {
    /// The job's name.
    pub name: &'a str,
    /// The sweep's folder, from the root.
    pub folder: &'a Path,
    /// The file with the keys of the runs, one a line, from the root.
    pub keys: &'a Path,
    /// How many there are.
    pub tasks: usize,
    /// The program, from the root.
    pub program: &'a Path,
    /// Where it was started: paths in experiments count from there.
    pub started_in: &'a Path,
    /// What a run may use.
    pub settings: &'a LauncherSettings,
}

/// The script. Weights and data are in the cache when it is submitted: runs open no connection.
///
/// Before the time limit SLURM sends SIGUSR1 to the script alone, which has the run save and end by SIGTERM, and puts the
/// task back into the queue. It is not SIGTERM that SLURM sends, because `scancel` sends that: a task that is cancelled saves
/// too, and stays out of the queue.
///
/// # Errors
/// A path that a script cannot hold; a wrong option of sbatch.
pub fn script(array: &Array<'_>) -> anyhow::Result<String> {
    let settings = array.settings;
    let logs = array.folder.join("slurm").join("log-%A_%a.txt");
    // Of SLURM's own language for file names only the percent sign is special.
    let plain = |path: &Path| -> anyhow::Result<String> {
        let text = path.to_str().filter(|text| !text.contains(['"', '\\', '\n', '\r', '`', '$']));
        let text = text.ok_or_else(|| {
            anyhow::anyhow!("{}: quotes, $ and \\ cannot stand in the paths of a job script", path.display())
        })?;
        Ok(text.to_owned())
    };
    anyhow::ensure!(
        !array.folder.to_string_lossy().contains('%'),
        "{}: SLURM reads % in paths as its own; take another folder",
        array.folder.display()
    );
    let last = array.tasks.saturating_sub(1);
    let limit = if settings.concurrent == 0 { String::new() } else { format!("%{}", settings.concurrent) };
    let mut options = vec![
        format!("--job-name={}", array.name),
        format!("--array=0-{last}{limit}"),
        format!("--output=\"{}\"", plain(&logs)?),
        "--open-mode=append".to_owned(),
        "--nodes=1".to_owned(),
        "--ntasks=1".to_owned(),
        "--requeue".to_owned(),
        format!("--signal=B:USR1@{}", settings.save_before),
    ];
    options.extend(settings.sbatch_options()?);
    let mut text = "#!/bin/bash\n".to_owned();
    options.iter().for_each(|option| text += &format!("#SBATCH {option}\n"));
    text += &format!(
        "\nexport HF_HUB_OFFLINE=1\nexport RAYON_NUM_THREADS=\"${{SLURM_CPUS_PER_TASK:-${{SLURM_CPUS_ON_NODE:-1}}}}\"\n\
         cd \"{}\" || exit 1\n",
        plain(array.started_in)?
    );
    settings.setup.iter().for_each(|line| text += &format!("{line}\n"));
    text += &format!(
        r#"key=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" "{keys}")
[ -n "$key" ] || {{ echo "no run in line $((SLURM_ARRAY_TASK_ID + 1)) of {keys}" >&2; exit 1; }}
echo "task ${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID on ${{SLURMD_NODENAME:-?}}, start $((${{SLURM_RESTART_COUNT:-0}} + 1)): $key"

at_limit=no
asked=no
run=
end() {{ asked=yes; [ -z "$run" ] || kill -TERM "$run"; }}
trap 'at_limit=yes; end' USR1
trap end TERM
"{program}" sweep-task "{folder}" "$key" &
run=$!
[ $asked = no ] || end
# A signal ends `wait` before the run has ended.
while kill -0 "$run" 2>/dev/null; do wait "$run"; done
wait "$run"
status=$?
# 130: saved. 143: asked to end before it listened.
if [ $at_limit = yes ] && {{ [ $status -eq 130 ] || [ $status -eq 143 ]; }}; then
    if [ "${{SLURM_RESTART_COUNT:-0}}" -lt {requeues} ]; then
        echo "at its time limit; saved, and back into the queue"
        scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
        exit
    fi
    echo "at its time limit for the last of {starts} times; saved" >&2
fi
exit $status
"#,
        keys = plain(array.keys)?,
        program = plain(array.program)?,
        folder = plain(array.folder)?,
        requeues = settings.requeues,
        starts = u64::from(settings.requeues) + 1,
    );
    Ok(text)
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

        fn script(&self, settings: &LauncherSettings) -> String {
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
            std::fs::write(self.path("job.sh"), self.script(&LauncherSettings { requeues: 3, ..Default::default() }))
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
        let settings = LauncherSettings {
            concurrent: 8,
            cpus: Some(4),
            setup: vec!["module load cuda".to_owned()],
            ..LauncherSettings::default()
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
        let settings = LauncherSettings::default();
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
