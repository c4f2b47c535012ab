//! `--launcher local`: the runs are processes of this machine, and the sweep stays until they have ended.

use std::collections::BTreeMap;

use mga_train::interrupt::Interrupted;
use serde_json::json;

use super::launcher::{Launch, Launcher};
use super::left::Left;
use super::teller::Teller;
use crate::crew::Crew;
use crate::estimate::Estimate;
use crate::plan::{Cell, Plan};
use crate::share::{gpus, shares, takes_any_gpu};

/// Starts runs on this machine, some at once.
#[derive(Debug, Clone, Copy)]
pub struct Local;

impl Launcher for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn about(&self) -> &'static str {
        "this command, on this machine"
    }

    fn waits(&self) -> bool {
        true
    }

    fn launch(&self, sweep: &mut Launch<'_>) -> anyhow::Result<()> {
        let on_gpu = sweep.plan.cells.iter().any(takes_any_gpu);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shares = shares(sweep.request.at_once.map(usize::from), cores, &gpus(), on_gpu);
        sweep.teller.at_once(shares.len());
        let crew = Crew { shares, offline: sweep.request.offline, interrupt: sweep.interrupt };
        let (mut retry, mut told) = (sweep.request.retry, false);
        loop {
            sweep.write_plan(&|_| false)?;
            let total = sweep.rounds.total(sweep.plan.cells.len());
            let left = Left::of(&sweep.plan, retry, &BTreeMap::new(), sweep.teller)?;
            // What fails from now on has had its second chance.
            retry = false;
            sweep.teller.planned(&sweep.plan);
            sweep.teller.standing(total, left.finished, left.failed);
            if !std::mem::replace(&mut told, true) {
                tell(&sweep.plan, &left, total, &crew, sweep.teller);
            }
            let cells: Vec<&Cell> = left.cells.iter().map(|(cell, _)| *cell).collect();
            crew.run(&cells, sweep.teller);
            match sweep.rounds.next(&sweep.plan)? {
                Some(plan) => sweep.plan = plan,
                None => break,
            }
        }
        let interrupted = sweep.interrupt.is_raised();
        let failed = sweep.teller.end(interrupted);
        if interrupted {
            let folder = sweep.plan.folder.display();
            return Err(Interrupted(format!("interrupted; the same command goes on with {folder}")).into());
        }
        anyhow::ensure!(failed == 0, "{} failed; `--dry-run` says why, `--retry` runs again", counted(failed));
        Ok(())
    }
}

/// Says how many runs there are and about how long they take, before the first starts.
fn tell(plan: &Plan, left: &Left<'_>, total: usize, crew: &Crew<'_>, teller: &mut dyn Teller) {
    let (finished, failed, jobs) = (left.finished, left.failed, crew.shares.len());
    let to_run = total - finished - failed;
    plan.superseded().iter().for_each(|old| teller.line(&old.told()));
    let known = Estimate::of_finished(left.all.iter().map(|(cell, state)| (*cell, state)));
    let estimate = match (known, crew.shares.first()) {
        (Some(estimate), _) => Some(estimate),
        (None, Some(share)) => Estimate::of_steps(left.cells.iter().map(|(cell, _)| *cell), share),
        (None, None) => None,
    };
    let mut line = format!("{}: {total} runs: {finished} finished, {failed} failed, {to_run} to run", plan.name);
    match &estimate {
        _ if left.cells.is_empty() => {}
        Some(estimate) => line += &format!("; {}", estimate.told(to_run, jobs)),
        None => line += "; how long shows with the first that is finished",
    }
    if jobs > 1 {
        line += &format!("; {jobs} at a time");
    }
    teller.line(&line);
    if failed > 0 {
        teller.line(&format!("{} failed before: `--dry-run` says why, `--retry` runs again", counted(failed)));
    }
    teller.object(json!({
        "event": "plan", "sweep": plan.name, "folder": plan.folder, "total": total, "finished": finished,
        "failed": failed, "to_run": to_run, "jobs": jobs,
        "seconds": estimate.as_ref().map(|estimate| estimate.seconds(to_run, jobs)),
        "seconds_from": estimate.as_ref().map(|estimate| estimate.from.as_str()),
    }));
    if let Some(estimate) = estimate {
        teller.expect(estimate);
    }
}

fn counted(runs: usize) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}
