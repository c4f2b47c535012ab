//! `--launcher slurm`: what is left of a sweep becomes a job array, and the command ends.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use schemars::Schema;
use serde_json::{Map, Value, json};

use super::queue::{Task, submit, tasks};
use super::settings::SlurmSettings;
use super::submission::{FOLDER, Scripts};
use crate::launchers::launcher::{Launch, Launcher, Queued, Request};
use crate::launchers::left::Left;
use crate::launchers::table::{settings, settings_schema};
use crate::launchers::teller::Teller;
use crate::plan::Plan;
use crate::run_state::RunState;

/// Submits runs to SLURM.
#[derive(Debug, Clone, Copy)]
pub struct Slurm;

impl Launcher for Slurm {
    fn name(&self) -> &'static str {
        "slurm"
    }

    fn about(&self) -> &'static str {
        "SLURM, as a job array; this command submits it and ends"
    }

    fn settings(&self) -> Option<Schema> {
        settings_schema::<SlurmSettings>()
    }

    fn waits(&self) -> bool {
        false
    }

    fn can_emit(&self) -> bool {
        true
    }

    fn makes_masks(&self, table: &Map<String, Value>, request: &Request) -> anyhow::Result<bool> {
        Ok(!request.emit && settings::<SlurmSettings>(table)?.masks_first)
    }

    fn queued(&self, plan: &Plan) -> anyhow::Result<BTreeMap<String, Queued>> {
        Ok(tasks_of(plan)?.iter().map(|(key, task)| (key.clone(), queued(task))).collect())
    }

    fn launch(&self, sweep: &mut Launch<'_>) -> anyhow::Result<()> {
        let waiting = match tasks_of(&sweep.plan) {
            // Scripts may be written where there is no cluster.
            Err(error) if sweep.request.emit => {
                sweep.teller.line(&format!("note: what is queued is not known: {error:#}"));
                BTreeMap::new()
            }
            tasks => tasks?,
        };
        let begun: Vec<&String> = waiting.iter().filter(|(_, task)| queued(task).begun).map(|(key, _)| key).collect();
        sweep.write_plan(&|cell| begun.iter().any(|key| cell.is_called(key)))?;
        let asked = waiting.iter().map(|(key, task)| (key.clone(), queued(task))).collect();
        let left = Left::of(&sweep.plan, sweep.request.retry, &asked, sweep.teller)?;
        let keys: Vec<&str> = left
            .cells
            .iter()
            .filter(|(_, state)| *state != RunState::Running)
            .map(|(cell, _)| cell.key.as_str())
            .collect();
        let elsewhere = left.cells.len() - keys.len();
        tell(&sweep.plan, &left, (keys.len(), elsewhere), sweep.teller);
        strangers(&sweep.plan, &waiting, sweep.teller);
        let failed = left.failed;
        if failed > 0 {
            sweep.teller.line(&format!(
                "{failed} failed before: `--retry` submits them again, `--dry-run` says why they failed"
            ));
        }
        if keys.is_empty() {
            anyhow::ensure!(
                failed == 0 || left.queued + elsewhere > 0,
                "{failed} runs failed; `--dry-run` says why, `--retry` submits them again"
            );
            return Ok(());
        }
        for line in sweep.rounds.make_masks()? {
            sweep.teller.line(&line);
        }
        submit_all(&sweep.plan, &keys, &sweep.request, sweep.teller)
    }
}

/// Which runs of the plan SLURM has, by their keys; none where there is no folder yet.
fn tasks_of(plan: &Plan) -> anyhow::Result<BTreeMap<String, Task>> {
    if !plan.folder.is_dir() {
        return Ok(BTreeMap::new());
    }
    Scripts::of(&plan.folder, &plan.name)?.queued(&tasks()?)
}

/// A task as other parts of the program see it.
fn queued(task: &Task) -> Queued {
    Queued {
        told: format!("job {}_{} is {} {}", task.job, task.index, task.state, task.reason),
        record: json!({ "job": task.job, "index": task.index, "state": task.state }),
        begun: task.state != "PENDING",
    }
}

/// Says how many runs there are, and what becomes of them.
fn tell(plan: &Plan, left: &Left<'_>, (to_submit, elsewhere): (usize, usize), teller: &mut dyn Teller) {
    let (total, finished, failed, waiting) = (plan.cells.len(), left.finished, left.failed, left.queued);
    teller.standing(total, finished, failed);
    let mut line = format!("{}: {total} runs: {finished} finished, {failed} failed, {waiting} queued", plan.name);
    if elsewhere > 0 {
        line += &format!(", {elsewhere} run by another process");
    }
    line += &format!(", {to_submit} to submit");
    teller.line(&line);
    teller.object(json!({
        "event": "plan", "sweep": plan.name, "folder": plan.folder, "total": total, "finished": finished,
        "failed": failed, "queued": waiting, "elsewhere": elsewhere, "to_run": to_submit,
    }));
}

/// Names the tasks of runs that the sweep file asks for no more.
fn strangers(plan: &Plan, tasks: &BTreeMap<String, Task>, teller: &mut dyn Teller) {
    let strange = tasks.iter().filter(|(key, _)| !plan.cells.iter().any(|cell| cell.is_called(key)));
    let strange: Vec<String> = strange.map(|(_, task)| format!("{}_{}", task.job, task.index)).collect();
    if !strange.is_empty() {
        teller.line(&format!(
            "note: {} queued tasks are of runs that the sweep file asks for no more: scancel {}",
            strange.len(),
            strange.join(" ")
        ));
    }
}

/// Writes the scripts of these runs, and submits them unless they are to be written only.
fn submit_all(plan: &Plan, keys: &[&str], request: &Request, teller: &mut dyn Teller) -> anyhow::Result<()> {
    let mut settings: SlurmSettings = settings(&plan.launcher)?;
    if let Some(at_once) = request.at_once {
        settings.concurrent = u32::from(at_once);
    }
    let scripts = Scripts::of(&plan.folder, &plan.name)?;
    let program = std::env::current_exe().context("the program's own file cannot be found")?;
    for written in scripts.write(keys, &settings, &program)? {
        let script = written.script.display();
        if request.emit {
            teller.line(&format!("sbatch \"{script}\""));
            teller.object(json!({ "event": "written", "script": written.script, "tasks": written.tasks }));
            continue;
        }
        let job = submit(&written.script).with_context(|| format!("{script}: was not submitted"))?;
        scripts.note(job, &written)?;
        teller.line(&format!("submitted job {job}: {} tasks", written.tasks));
        teller.object(json!({
            "event": "submitted", "job": job, "script": written.script, "tasks": written.tasks,
        }));
    }
    if !request.emit && !request.quiet {
        let folder = plan.folder.join(Path::new(FOLDER));
        teller.line(&format!(
            "what the tasks say goes to {}; `--launcher slurm --dry-run` says where each run stands",
            folder.display()
        ));
    }
    Ok(())
}
