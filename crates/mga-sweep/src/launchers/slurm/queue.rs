//! Queries to SLURM: to take a script, and which tasks it has.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// A task of a job array that SLURM has: waiting, running, or ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The job's name.
    pub name: String,
    /// Number of the array's job.
    pub job: u64,
    /// Place in the array, from 0.
    pub index: usize,
    /// `PENDING`, `RUNNING`, `COMPLETING` ...
    pub state: String,
    /// Why it waits, or where it runs.
    pub reason: String,
}

/// Columns of squeue: name, job, place in the array, state, reason or nodes. A name has no `|`: see `job_name`.
const FORMAT: &str = "%F|%K|%T|%j|%R";

/// Returns the caller's tasks, all jobs.
///
/// # Errors
/// No SLURM on this machine, or it does not answer.
pub fn tasks() -> anyhow::Result<Vec<Task>> {
    let format = format!("--format={FORMAT}");
    let text = ask("squeue", ["--me", "--noheader", "--array", &format])?;
    Ok(text.lines().filter_map(task).collect())
}

/// Submits a script; gives the job's number.
///
/// # Errors
/// No SLURM on this machine; it refuses the script, and says why.
pub fn submit(script: &Path) -> anyhow::Result<u64> {
    let text = ask("sbatch", [OsStr::new("--parsable"), script.as_os_str()])?;
    // "NUMBER" or "NUMBER;CLUSTER".
    let number = text.trim().split(';').next().and_then(|number| number.parse().ok());
    number.with_context(|| format!("sbatch: expected the number of a job, found {text:?}"))
}

fn ask<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| {
        format!("{program}: cannot be run; is this a machine of the cluster? `--emit` writes the scripts and submits nothing")
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{program} ended with {}: {}", output.status, said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A line of squeue, if it is of a task of an array.
fn task(line: &str) -> Option<Task> {
    let mut parts = line.splitn(5, '|').map(str::trim);
    let mut next = || parts.next();
    let (job, index, state, name, reason) = (next()?, next()?, next()?, next()?, next()?);
    Some(Task {
        name: name.to_owned(),
        job: job.parse().ok()?,
        index: index.parse().ok()?,
        state: state.to_owned(),
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_squeue() {
        let found = task("71|3|PENDING|mga-leaves-1a2b3c4d-5e6f7a8b|(JobArrayTaskLimit)").unwrap();
        assert_eq!((found.job, found.index, &*found.state), (71, 3, "PENDING"));
        assert_eq!((&*found.name, &*found.reason), ("mga-leaves-1a2b3c4d-5e6f7a8b", "(JobArrayTaskLimit)"));
        // A job that is no array, and what is no line at all.
        assert_eq!(task("72|N/A|RUNNING|bash|n1"), None);
        assert_eq!(task(""), None);
    }
}
