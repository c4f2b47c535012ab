//! `mga sweep`: an experiment under many settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use mga_core::whole_file;
use mga_experiment::{Components, Defaults, Overrides};
use mga_sweep::{
    Cell, Crew, Draws, Estimate, Plan, Planner, RunState, Search, State, begun_with, duration, gpus, shares,
    takes_any_gpu,
};
use mga_train::folder_lock::FolderLock;
use mga_train::interrupt::{Interrupt, Interrupted};
use mga_train::run_folder::RunFolder;
use serde_json::json;

use super::sweep_slurm::{self, Request};
use crate::output::print;
use crate::signals;
use crate::sweep_report::Report;

const EXAMPLE: &str = "\
Example:
  mga sweep experiments/ablations/leaves.toml --out runs/leaves --dry-run
  mga sweep experiments/ablations/leaves.toml --out runs/leaves
  mga sweep experiments/ablations/leaves.toml --out runs/leaves --launcher slurm

What is finished is not run again, whatever ended the sweep and whatever its run was called before: a value, an axis or a
variant added to the file runs only what is new.";

/// Who starts the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Launcher {
    /// This command, on this machine.
    #[default]
    Local,
    /// SLURM, as a job array; this command submits it and ends.
    Slurm,
}

/// Run an experiment under many settings.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// The sweep file (TOML).
    sweep: PathBuf,
    /// The sweep's folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Who starts the runs: this command, or SLURM, as a job array with the resources of [launcher].
    #[arg(long, value_enum, default_value_t)]
    launcher: Launcher,
    /// With --launcher slurm: write the scripts and submit nothing.
    #[arg(long)]
    emit: bool,
    /// Runs at once; left out: one, or one a GPU where the experiment uses GPUs. They share the cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Say which runs there are and where each stands, and run nothing.
    #[arg(long)]
    dry_run: bool,
    /// Run those again that failed, from their checkpoints.
    #[arg(long)]
    retry: bool,
    /// Set a key of the base experiment: TOML's values, else a string. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// One JSON object a line on standard output, for machines.
    #[arg(long)]
    json: bool,
    /// Show no bar.
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the sweep.
///
/// # Errors
/// A wrong sweep file or experiment; another sweep in the folder; runs that failed; a signal.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let interrupt = signals::listen()?;
    let slurm = args.launcher == Launcher::Slurm;
    anyhow::ensure!(slurm || !args.emit, "--emit writes the scripts of --launcher slurm; name both");
    anyhow::ensure!(
        !RunFolder::at(&args.out).holds_run(),
        "{}: there is a run in this folder; a sweep has a folder of its own, which --out names",
        args.out.display()
    );
    let overrides = Overrides { defaults: begun_with(&args.out), ..Overrides::from_process(args.set.clone()) };
    if overrides.defaults == Defaults::Old {
        say!(
            "note: {} was begun by mga 0.1, and its runs keep the defaults of 0.1; another --out takes those of {}",
            args.out.display(),
            env!("CARGO_PKG_VERSION")
        );
    }
    let mut planner = Planner::read(&args.sweep, overrides, components)?;
    anyhow::ensure!(
        !(slurm && planner.file().search == Search::Tpe),
        "{}: search = \"tpe\" learns from runs as they end, and a job array is fixed when it is submitted: use --launcher local, \
         or search = \"random\"",
        args.sweep.display()
    );
    let mut draws = (planner.file().search == Search::Tpe).then(|| Draws::read(&args.out, &planner)).transpose()?;
    if args.dry_run {
        let plan = planner.plan(&args.out, draws.as_ref().map(|draws| draws.values.as_slice()))?;
        planner.warnings.iter().for_each(|warning| say!("{warning}"));
        return list(&plan, &planner, &args);
    }
    if slurm && !args.emit && planner.file().launcher.masks_first {
        planner.keep_data();
    }
    if let Some(draws) = draws.as_mut().filter(|draws| draws.values.is_empty()) {
        draws.more(&planner, None)?;
    }
    let mut plan = planner.plan(&args.out, draws.as_ref().map(|draws| draws.values.as_slice()))?;
    planner.warnings.iter().for_each(|warning| say!("{warning}"));
    std::fs::create_dir_all(&args.out).with_context(|| format!("{}: cannot be made", args.out.display()))?;
    let lock = FolderLock::take(&args.out, "sweeps")?;
    whole_file::remove_leftovers(&args.out).with_context(|| format!("{}: cannot be tidied up", args.out.display()))?;
    planner.write_files(&args.out)?;
    if slurm {
        let busy = sweep_slurm::begun(&plan);
        let taken = plan.take_over(&|cell| busy.iter().any(|key| cell.is_called(key)))?;
        plan.write()?;
        let request = Request { retry: args.retry, emit: args.emit, at_once: args.jobs, quiet: args.quiet };
        let prepare = || planner.make_masks(&interrupt);
        let mut report = Report::new(args.json, true, 1);
        report.taken_over(&taken);
        return sweep_slurm::run(&plan, &request, &mut report, prepare);
    }
    let mut sweep = Sweep::new(&args, &plan, components.hub.settings().offline, &interrupt);
    loop {
        if let Some(draws) = &draws {
            draws.write(&args.out)?;
        }
        sweep.report.taken_over(&plan.take_over(&|_| false)?);
        plan.write()?;
        sweep.round(&plan, planner.total(plan.cells.len()))?;
        let more = match draws.as_mut().filter(|_| !interrupt.is_raised()) {
            Some(draws) => draws.more(&planner, Some(&plan))?,
            None => false,
        };
        if !more {
            break;
        }
        plan = planner.plan(&args.out, draws.as_ref().map(|draws| draws.values.as_slice()))?;
    }
    drop(lock);
    sweep.end(&args.out)
}

/// A sweep under way.
struct Sweep<'a> {
    crew: Crew<'a>,
    report: Report,
    retry: bool,
    told: bool,
}

impl<'a> Sweep<'a> {
    fn new(args: &Args, plan: &Plan, offline: bool, interrupt: &'a Interrupt) -> Self {
        let on_gpu = plan.cells.iter().any(takes_any_gpu);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shares = shares(args.jobs.map(usize::from), cores, &gpus(), on_gpu);
        let report = Report::new(args.json, args.quiet, shares.len());
        Self { crew: Crew { shares, offline, interrupt }, report, retry: args.retry, told: false }
    }

    /// Runs what is left of the planned runs, of which there will be `total` in the end.
    fn round(&mut self, plan: &Plan, total: usize) -> anyhow::Result<()> {
        let standing: Vec<(&Cell, State)> = plan.cells.iter().map(|cell| (cell, cell.state())).collect();
        let mut left: Vec<&Cell> = Vec::new();
        let (mut finished, mut failed) = (0, 0);
        for (cell, state) in &standing {
            match state.state {
                RunState::Finished => {
                    finished += 1;
                    // A sweep that was killed may not have heard of it.
                    if State::of_file(cell.folder()).is_none_or(|written| written.state != RunState::Finished) {
                        state.write(cell.folder())?;
                    }
                    self.report.known(cell);
                }
                RunState::Failed if !self.retry => failed += 1,
                _ => left.push(cell),
            }
        }
        // What fails from now on has had its second chance.
        self.retry = false;
        self.report.planned(plan);
        self.report.standing(total, finished, failed);
        if !self.told {
            self.told = true;
            self.tell(plan, &standing, &left, total, (finished, failed));
        }
        self.crew.run(&left, &mut self.report);
        Ok(())
    }

    /// Says how many runs there are and about how long they take, before the first starts.
    fn tell(&mut self, plan: &Plan, standing: &[(&Cell, State)], left: &[&Cell], total: usize, done: (usize, usize)) {
        let (jobs, to_run) = (self.crew.shares.len(), total - done.0 - done.1);
        plan.superseded().iter().for_each(|old| self.report.line(&old.told()));
        let finished = Estimate::of_finished(standing.iter().map(|(cell, state)| (*cell, state)));
        let estimate = match (finished, left.first(), self.crew.shares.first()) {
            (Some(estimate), ..) => Some(estimate),
            (None, Some(cell), Some(share)) => Estimate::of_steps(cell, share),
            _ => None,
        };
        let (finished, failed) = done;
        let mut line = format!("{}: {total} runs: {finished} finished, {failed} failed, {to_run} to run", plan.name);
        match &estimate {
            _ if left.is_empty() => {}
            Some(estimate) => line += &format!("; {}", estimate.told(to_run, jobs)),
            None => line += "; how long shows with the first that is finished",
        }
        if jobs > 1 {
            line += &format!("; {jobs} at a time");
        }
        self.report.line(&line);
        if failed > 0 {
            self.report.line(&format!("{} failed before: `--dry-run` says why, `--retry` runs again", counted(failed)));
        }
        self.report.object(json!({
            "event": "plan", "sweep": plan.name, "folder": plan.folder, "total": total, "finished": finished,
            "failed": failed, "to_run": to_run, "jobs": jobs,
            "seconds": estimate.as_ref().map(|estimate| estimate.seconds(to_run, jobs)),
            "seconds_from": estimate.as_ref().map(|estimate| estimate.from.as_str()),
        }));
        if let Some(estimate) = &estimate {
            self.report.expect(estimate.run_seconds, estimate.runs);
        }
    }

    fn end(self, out: &Path) -> anyhow::Result<()> {
        let Self { report, crew, .. } = self;
        report.close();
        report.line(&report.outcome());
        let (failed, interrupted) = (report.failed(), crew.interrupt.is_raised());
        let best = report.best();
        report.object(json!({ "event": "end", "failed": failed, "interrupted": interrupted, "best": best }));
        if interrupted {
            return Err(Interrupted(format!("interrupted; the same command goes on with {}", out.display())).into());
        }
        anyhow::ensure!(failed == 0, "{} failed; `--dry-run` says why, `--retry` runs again", counted(failed));
        Ok(())
    }
}

fn counted(runs: usize) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}

/// The runs, and where each stands.
fn list(plan: &Plan, planner: &Planner<'_>, args: &Args) -> anyhow::Result<()> {
    let mut text = String::new();
    let slurm = args.launcher == Launcher::Slurm;
    let queued = if slurm { sweep_slurm::queued(plan)? } else { BTreeMap::new() };
    for cell in &plan.cells {
        let state = cell.state();
        let task = sweep_slurm::task_of(&queued, cell).filter(|_| state.state != RunState::Finished);
        if args.json {
            let task = task.map(|task| json!({ "job": task.job, "index": task.index, "state": task.state }));
            let run = json!({
                "key": cell.key, "found_as": cell.found_as(), "state": state, "cell": cell.record, "task": task,
            });
            text += &run.to_string();
        } else if let Some(task) = task {
            text += &format!("{} {}", cell.key, sweep_slurm::told(task));
        } else {
            let what = match state.state {
                RunState::Waiting => "new".to_owned(),
                RunState::Failed => format!("failed: {}", state.error.unwrap_or_default().lines().next().unwrap_or("")),
                RunState::Finished => format!("finished, {}", duration(state.seconds)),
                RunState::Running => "running".to_owned(),
                RunState::Interrupted | RunState::Unfinished => state.state.word().to_owned(),
            };
            text += &format!("{} {what}", cell.key);
        }
        if let Some(name) = cell.found_as().filter(|_| !args.json) {
            text += &format!(" (as {name})");
        }
        text += "\n";
    }
    if !args.json {
        let states: Vec<(&Cell, State)> = plan.cells.iter().map(|cell| (cell, cell.state())).collect();
        let of = |wanted: RunState| states.iter().filter(|(_, state)| state.state == wanted).count();
        let total = planner.total(plan.cells.len());
        let (finished, failed) = (of(RunState::Finished), of(RunState::Failed));
        text += &format!("{}: {total} runs: {finished} finished, {failed} failed", plan.name);
        let left = total - finished - if args.retry { 0 } else { failed };
        text += &format!(", {left} to run");
        if total > plan.cells.len() {
            text += &format!("; {} are drawn when earlier ones have their scores", total - plan.cells.len());
        }
        if let Some(estimate) = Estimate::of_finished(states.iter().map(|(cell, state)| (*cell, state))) {
            text += &format!("; {}", estimate.told(left, args.jobs.map_or(1, usize::from)));
        }
        text += "\n";
        let begun = plan.found().into_iter().filter(|found| found.state != RunState::Waiting);
        begun.for_each(|found| text += &(found.told() + "\n"));
        plan.superseded().iter().for_each(|old| text += &(old.told() + "\n"));
    }
    Ok(print(text)?)
}
