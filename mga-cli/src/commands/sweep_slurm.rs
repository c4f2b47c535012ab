//! `mga sweep --launcher slurm`: what is left of a sweep becomes a job array.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use mga_sweep::launchers::slurm::{FOLDER, Scripts, Task, submit, tasks};
use mga_sweep::{Cell, Plan, RunState, State};
use serde_json::json;

use crate::sweep_report::Report;

/// How the runs are submitted.
pub(super) struct Request {
    /// Submit those again that failed.
    pub(super) retry: bool,
    /// Write the scripts and submit nothing.
    pub(super) emit: bool,
    /// Runs at once, in place of what `[launcher]` says.
    pub(super) at_once: Option<u16>,
    /// No line but the result.
    pub(super) quiet: bool,
}

/// Which runs of the plan SLURM has, by their keys; none where there is no folder yet.
///
/// # Errors
/// No SLURM on this machine, or it does not answer.
pub(super) fn queued(plan: &Plan) -> anyhow::Result<BTreeMap<String, Task>> {
    if !plan.folder.is_dir() {
        return Ok(BTreeMap::new());
    }
    Scripts::of(&plan.folder, &plan.name)?.queued(&tasks()?)
}

/// The runs whose tasks have left the queue's waiting room: they may be on their way to their folders, whose names have to
/// stay. None where SLURM cannot be asked, which [`run`] will say.
pub(super) fn begun(plan: &Plan) -> BTreeSet<String> {
    let tasks = queued(plan).unwrap_or_default();
    tasks.into_iter().filter(|(_, task)| task.state != "PENDING").map(|(key, _)| key).collect()
}

/// Submits the runs that are neither finished nor failed nor queued, as SLURM says it.
///
/// The caller holds the lock of the sweep's folder, so that no two submit the same. `prepare` does what the runs need, where
/// any are left, and says what it did.
///
/// # Errors
/// No SLURM on this machine; it refuses the script; the folder cannot be written to; nothing is left to do, and runs failed.
pub(super) fn run(
    plan: &Plan,
    request: &Request,
    report: &mut Report,
    prepare: impl FnOnce() -> anyhow::Result<Vec<String>>,
) -> anyhow::Result<()> {
    let mut settings = plan.launcher.clone();
    if let Some(at_once) = request.at_once {
        settings.concurrent = u32::from(at_once);
    }
    let scripts = Scripts::of(&plan.folder, &plan.name)?;
    let queued = match queued(plan) {
        // Scripts may be written where there is no cluster.
        Err(error) if request.emit => {
            report.line(&format!("note: what is queued is not known: {error:#}"));
            BTreeMap::new()
        }
        queued => queued?,
    };
    let (mut left, mut finished, mut failed, mut waiting, mut elsewhere) = (vec![], 0, 0, 0, 0);
    for cell in &plan.cells {
        let state = cell.state();
        match state.state {
            RunState::Finished => {
                finished += 1;
                // A task that was killed may not have written of it.
                if State::of_file(cell.folder()).is_none_or(|written| written.state != RunState::Finished) {
                    state.write(cell.folder())?;
                }
                report.known(cell);
            }
            // A task that has just failed or saved may be on its way back into the queue.
            _ if task_of(&queued, cell).is_some() => waiting += 1,
            RunState::Running => elsewhere += 1,
            RunState::Failed if !request.retry => failed += 1,
            _ => left.push(cell.key.as_str()),
        }
    }
    let total = plan.cells.len();
    report.standing(total, finished, failed);
    let mut line = format!("{}: {total} runs: {finished} finished, {failed} failed, {waiting} queued", plan.name);
    if elsewhere > 0 {
        line += &format!(", {elsewhere} run by another process");
    }
    line += &format!(", {} to submit", left.len());
    report.line(&line);
    report.object(json!({
        "event": "plan", "sweep": plan.name, "folder": plan.folder, "total": total, "finished": finished,
        "failed": failed, "queued": waiting, "elsewhere": elsewhere, "to_run": left.len(),
    }));
    let strangers: Vec<String> = queued
        .iter()
        .filter(|(key, _)| !plan.cells.iter().any(|cell| cell.is_called(key)))
        .map(|(_, task)| format!("{}_{}", task.job, task.index))
        .collect();
    if !strangers.is_empty() {
        report.line(&format!(
            "note: {} queued tasks are of runs that the sweep file asks for no more: scancel {}",
            strangers.len(),
            strangers.join(" ")
        ));
    }
    if failed > 0 {
        report.line(&format!("{failed} failed before: `--retry` submits them again, `--dry-run` says why they failed"));
    }
    if left.is_empty() {
        anyhow::ensure!(
            failed == 0 || waiting + elsewhere > 0,
            "{failed} runs failed; `--dry-run` says why, `--retry` submits them again"
        );
        return Ok(());
    }
    prepare()?.iter().for_each(|line| report.line(line));
    let program = std::env::current_exe().context("the program's own file cannot be found")?;
    for written in scripts.write(&left, &settings, &program)? {
        let script = written.script.display();
        if request.emit {
            report.line(&format!("sbatch \"{script}\""));
            report.object(json!({ "event": "written", "script": written.script, "tasks": written.tasks }));
            continue;
        }
        let job = submit(&written.script).with_context(|| format!("{script}: was not submitted"))?;
        scripts.note(job, &written)?;
        report.line(&format!("submitted job {job}: {} tasks", written.tasks));
        report.object(json!({
            "event": "submitted", "job": job, "script": written.script, "tasks": written.tasks,
        }));
    }
    if !request.emit && !request.quiet {
        report.line(&format!(
            "what the tasks say goes to {}; `--launcher slurm --dry-run` says where each run stands",
            plan.folder.join(FOLDER).display()
        ));
    }
    Ok(())
}

/// The task that SLURM has of a run, submitted under whatever name.
pub(super) fn task_of<'a>(queued: &'a BTreeMap<String, Task>, cell: &Cell) -> Option<&'a Task> {
    queued.get(&cell.key).or_else(|| queued.iter().find(|(key, _)| cell.is_called(key)).map(|(_, task)| task))
}

/// How a run in the queue is shown.
pub(super) fn told(task: &Task) -> String {
    format!("job {}_{} is {} {}", task.job, task.index, task.state, task.reason)
}
