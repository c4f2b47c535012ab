//! `--launcher slurm` with a queue of two shell scripts: what is submitted, and what is not. A real SLURM is asked in
//! `scripts/slurm/sweep.sh`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mga_testing::files::below;
use mga_testing::process::{fail, said, succeed};
use serde_json::Value;

use super::fixture::{Folder, SWEEP, readable};

/// Takes scripts as jobs 71, 72 ...; `squeue` prints what lies in the file `queue`.
const SBATCH: &str = "#!/bin/bash\necho \"$2\" >>\"$STAGE/submitted\"\necho $((70 + $(wc -l <\"$STAGE/submitted\")))\n";
const SQUEUE: &str = "#!/bin/bash\necho \"$@\" >\"$STAGE/asked\"\ncat \"$STAGE/queue\" 2>/dev/null; exit 0\n";

struct Cluster(Folder);

impl Cluster {
    fn new(sweep: &str) -> Self {
        let folder = Folder::new(sweep);
        std::fs::create_dir(folder.path("bin")).unwrap();
        for (name, text) in [("sbatch", SBATCH), ("squeue", SQUEUE), ("scontrol", "#!/bin/bash\n")] {
            folder.write(&format!("bin/{name}"), text);
            let mode = PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(folder.path("bin").join(name), mode).unwrap();
        }
        Self(folder)
    }

    fn with_queue(&self, mut command: Command) -> Command {
        let path = format!("{}:{}", self.0.path("bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("STAGE", self.0.path(""));
        command
    }

    fn sweep(&self, more: &[&str]) -> Command {
        self.with_queue(self.0.sweep("out", &[&["--launcher", "slurm"], more].concat()))
    }

    /// What the command says, line by line, but for the line on the data.
    fn says(&self, more: &[&str]) -> Vec<String> {
        let said = said(&succeed(self.sweep(more)));
        said.lines().filter(|line| !line.starts_with("data: ")).map(str::to_owned).collect()
    }

    fn submitted(&self) -> Vec<PathBuf> {
        let text = std::fs::read_to_string(self.0.path("submitted")).unwrap_or_default();
        text.lines().map(PathBuf::from).collect()
    }

    /// The queue has these tasks of a script, as job 71.
    fn queue(&self, script: &Path, tasks: &[usize]) {
        let script = std::fs::read_to_string(script).unwrap();
        let name = script.lines().find_map(|line| line.strip_prefix("#SBATCH --job-name=")).unwrap();
        let lines = tasks.iter().map(|task| format!("71|{task}|PENDING|{name}|(Resources)\n"));
        self.0.write("queue", &(lines.collect::<String>() + "72|N/A|RUNNING|bash|n1\n"));
    }

    /// Runs a task as SLURM would: the script, far from where the sweep was started.
    fn task(&self, script: &Path, task: usize) -> Output {
        let mut job = Command::new("bash");
        job.arg(script);
        let mut job = self.0.prepared(job);
        job.current_dir("/");
        job.envs([("SLURM_ARRAY_JOB_ID", "71"), ("SLURM_ARRAY_TASK_ID", &task.to_string())]);
        self.with_queue(job).output().unwrap()
    }

    fn keys(&self, script: &Path) -> Vec<String> {
        let list = std::fs::read_to_string(script.with_extension("keys")).unwrap();
        list.lines().map(readable).collect()
    }
}

const ALL: [&str; 4] =
    ["attention-none.seed-1", "attention-residual.seed-1", "attention-none.seed-2", "attention-residual.seed-2"];

#[test]
fn what_is_queued_or_finished_is_not_submitted_again() {
    let sweep = format!("{SWEEP}[launcher]\npartition = \"main\"\nconcurrent = 2\n");
    let cluster = Cluster::new(&sweep);
    let first = cluster.says(&[]);
    assert_eq!(first[0], "tiny: 4 runs: 0 finished, 0 failed, 0 queued, 4 to submit");
    assert_eq!(first[1], "submitted job 71: 4 tasks");
    let script = cluster.submitted()[0].clone();
    assert_eq!(cluster.keys(&script), ALL);
    let text = std::fs::read_to_string(&script).unwrap();
    assert!(text.contains("--array=0-3%2\n") && text.contains("--partition=main\n"), "{text}");
    let jobs = cluster.0.read("out/slurm/jobs.json");
    assert_eq!(serde_json::from_str::<Value>(&jobs).unwrap()[0]["job"], 71);
    // All are queued: nothing is submitted.
    cluster.queue(&script, &[0, 1, 2, 3]);
    assert_eq!(cluster.says(&[]), ["tiny: 4 runs: 0 finished, 0 failed, 4 queued, 0 to submit"]);
    let listed = succeed(cluster.sweep(&["--dry-run"])).stdout;
    assert!(String::from_utf8_lossy(&listed).contains(" job 71_3 is PENDING (Resources)\n"), "{listed:?}");
    // Two were run, one is still queued, and a new seed was thought of: two more and what is lost.
    assert_eq!(cluster.task(&script, 0).status.code(), Some(0));
    assert_eq!(cluster.task(&script, 1).status.code(), Some(0));
    cluster.queue(&script, &[3]);
    cluster.0.write("sweep.toml", sweep.replace("[1, 2]", "[1, 2, 3]"));
    let more = cluster.says(&["--jobs", "1"]);
    assert_eq!(more[0], "tiny: 6 runs: 2 finished, 0 failed, 1 queued, 3 to submit");
    let second = cluster.submitted()[1].clone();
    assert_eq!(cluster.keys(&second), ["attention-none.seed-2", "attention-none.seed-3", "attention-residual.seed-3"]);
    assert!(std::fs::read_to_string(&second).unwrap().contains("--array=0-2%1\n"));
    // A value was given up: the task that is queued for it is named.
    cluster.0.write("sweep.toml", sweep.replace("[1, 2]", "[1]"));
    let fewer = cluster.says(&[]);
    assert_eq!(fewer[0], "tiny: 2 runs: 2 finished, 0 failed, 0 queued, 0 to submit");
    assert!(fewer[1].ends_with("scancel 71_3"), "{fewer:?}");
    assert_eq!(cluster.submitted().len(), 2);
}

#[test]
fn tasks_that_wait_under_an_earlier_name_are_the_same_runs() {
    let cluster = Cluster::new(&SWEEP.replace("[axes]\nseed = [1, 2]\n", ""));
    assert_eq!(cluster.says(&[])[1], "submitted job 71: 2 tasks");
    let script = cluster.submitted()[0].clone();
    // One was run, the other waits; then a seed axis was added, with the base's seed in it.
    assert_eq!(cluster.task(&script, 0).status.code(), Some(0));
    cluster.queue(&script, &[1]);
    cluster.0.write("sweep.toml", SWEEP.replace("[1, 2]", "[3, 4]"));
    let listed = String::from_utf8(succeed(cluster.sweep(&["--dry-run"])).stdout).unwrap();
    assert!(listed.contains(" finished, ") && listed.contains(" (as attention-none-"), "{listed}");
    assert!(listed.contains("job 71_1 is PENDING (Resources) (as attention-residual-"), "{listed}");
    let more = cluster.says(&[]);
    assert!(more[0].starts_with("attention-none-") && more[0].contains("is the same run as"), "{more:?}");
    assert_eq!(more[1], "tiny: 4 runs: 1 finished, 0 failed, 1 queued, 2 to submit");
    assert_eq!(more.iter().filter(|line| line.contains("scancel")).count(), 0, "{more:?}");
    assert_eq!(cluster.keys(&cluster.submitted()[1]), ["attention-none.seed-4", "attention-residual.seed-4"]);
    // The other task has been started, and is not in its folder yet: the folder keeps its name.
    let queue = cluster.0.read("queue");
    cluster.0.write("queue", queue.replace("PENDING", "RUNNING"));
    cluster.0.write("sweep.toml", SWEEP.replace("seed = [1, 2]", "seed = [3, 4]\n\"data.validation.seed\" = [0]"));
    let begun = cluster.says(&[]);
    let kept = begun
        .iter()
        .filter(|line| line.ends_with("is a run that the sweep file asks for: it counts, and keeps its name for now"));
    assert_eq!(kept.count(), 0, "of a run that waits nothing is told: {begun:?}");
    let names: Vec<String> = cluster.0.results("out").into_keys().map(|key| readable(&key)).collect();
    assert!(names.contains(&"attention-residual.seed-3".to_owned()), "{names:?}");
    assert!(names.contains(&"attention-none.seed-3.validation-seed-0".to_owned()), "{names:?}");
    cluster.0.write("queue", &queue);
    cluster.0.write("sweep.toml", SWEEP.replace("[1, 2]", "[3, 4]"));
    cluster.says(&[]);
    // Its turn comes: it runs under the name that it has now.
    assert_eq!(cluster.task(&script, 1).status.code(), Some(0));
    let results = cluster.0.results("out");
    let finished = results.iter().filter(|(_, run)| run.state == "finished").map(|(key, _)| readable(key));
    assert_eq!(finished.collect::<Vec<_>>(), ["attention-none.seed-3", "attention-residual.seed-3"]);
    assert_eq!(results.len(), 4);
}

#[test]
fn tasks_give_the_numbers_of_a_local_sweep() {
    let cluster = Cluster::new(SWEEP);
    succeed(cluster.0.sweep("local", &[]));
    // Written only, without a cluster at hand: nothing is asked, nothing is submitted.
    std::fs::remove_file(cluster.0.path("bin/squeue")).unwrap();
    let emitted = cluster.says(&["--emit"]);
    let line = emitted.iter().find_map(|line| line.strip_prefix("sbatch \"")?.strip_suffix('"')).unwrap();
    assert!(cluster.submitted().is_empty());
    let script = PathBuf::from(line);
    for task in 0..4 {
        let output = cluster.task(&script, task);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    assert_eq!(cluster.0.results("out"), cluster.0.results("local"));
    // A fifth task there is not.
    assert_eq!(cluster.task(&script, 4).status.code(), Some(1));
}

#[test]
fn a_failed_run_is_submitted_again_when_asked() {
    let cluster = Cluster::new(SWEEP);
    cluster.says(&[]);
    let script = cluster.submitted()[0].clone();
    let key = cluster.0.plan().unwrap().0.cells[1].key.clone();
    let run = cluster.0.path("out/runs").join(key);
    std::fs::write(run.join("checkpoints"), "in the way").unwrap();
    assert_eq!(cluster.task(&script, 1).status.code(), Some(1));
    let left = cluster.says(&[]);
    assert_eq!(left[0], "tiny: 4 runs: 0 finished, 1 failed, 0 queued, 3 to submit");
    assert!(left[1].contains("`--retry`"), "{left:?}");
    std::fs::remove_file(run.join("checkpoints")).unwrap();
    let again = cluster.says(&["--retry"]);
    assert_eq!(again[0], "tiny: 4 runs: 0 finished, 0 failed, 0 queued, 4 to submit");
    assert_eq!(cluster.submitted()[2], script, "the same runs are the same script");
    assert_eq!(cluster.task(&script, 1).status.code(), Some(0));
}

#[test]
fn what_cannot_be_submitted_is_said() {
    let cluster = Cluster::new(SWEEP);
    let message = fail(cluster.0.sweep("out", &["--emit"]), 1);
    assert!(message.contains("--launcher slurm"), "{message}");
    cluster.0.write("bin/sbatch", "#!/bin/bash\necho 'invalid partition specified: gpu' >&2; exit 1\n");
    let message = fail(cluster.sweep(&[]), 1);
    assert!(message.contains("was not submitted") && message.contains("invalid partition specified: gpu"), "{message}");
    cluster.0.write("sweep.toml", format!("{SWEEP}[launcher]\npartitoin = \"gpu\"\n"));
    let message = fail(cluster.sweep(&[]), 2);
    assert!(message.contains("sweep.toml:12:1") && message.contains("did you mean `partition`"), "{message}");
    let search = "name = \"tiny\"\nbase = \"base.toml\"\nsearch = \"tpe\"\nbudget = { runs = 4 }\n\
                  [ranges]\n\"optimiser.learning_rate\" = { log_uniform = [1e-4, 1e-2] }\n";
    cluster.0.write("sweep.toml", search);
    let message = fail(cluster.sweep(&[]), 1);
    assert!(message.contains("--launcher local"), "{message}");
}

#[test]
fn masks_are_made_before_runs_are_submitted() {
    let sweep =
        "base = \"base.toml\"\n[axes]\nseed = [1, 2]\n[variants.green]\n\"data.masks.source\" = \"excess-green\"\n";
    let cluster = Cluster::new(sweep);
    let masks = cluster.0.path("cache/masks");
    cluster.says(&["--dry-run"]);
    assert_eq!(below(&masks).len(), 0);
    let told = cluster.says(&[]);
    // Thirty leaves to train and select on, and ten to test on.
    assert!(told.contains(&"masks of 40 images by excess-green are in the cache".to_owned()), "{told:?}");
    assert_eq!(below(&masks).len(), 40);
    // Nothing is left to submit, and nothing to make.
    cluster.queue(&cluster.submitted()[0], &[0, 1]);
    assert_eq!(cluster.says(&[]).len(), 1);
    let later = Cluster::new(&format!("{sweep}[launcher]\nmasks_first = false\n"));
    later.says(&[]);
    assert_eq!((later.submitted().len(), below(&later.0.path("cache/masks")).len()), (1, 0));
}
