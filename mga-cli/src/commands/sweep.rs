//! `mga sweep`: an experiment under many settings.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use mga_core::whole_file;
use mga_core::wording::counted;
use mga_data::scratch::Scratch;
use mga_experiment::{Components, Defaults, Overrides, load};
use mga_sweep::launchers::{Launch, Launcher, LauncherComponents, Request, Rounds, launchers, named, queued_of};
use mga_sweep::search::Drawing;
use mga_sweep::{ArmTime, Cell, Estimate, Plan, PlannedRounds, Planner, RunState, State, begun_with, duration};
use mga_train::assemble;
use mga_train::folder_lock::FolderLock;
use mga_train::interrupt::Interrupt;
use mga_train::run_folder::RunFolder;
use mga_train::runners::timing::{self, Timed};
use serde_json::json;

use super::sweep_data::SweepData;
use crate::output::print;
use crate::signals;
use crate::status::Usage;
use crate::sweep_report::Report;

const EXAMPLE: &str = "\
Example:
  mga sweep experiments/ablations/leaves.toml --out runs/leaves --dry-run
  mga sweep experiments/ablations/leaves.toml --out runs/leaves
  mga sweep experiments/ablations/leaves.toml --out runs/leaves --launcher slurm

Finished runs are not run again, whatever ended the sweep and whatever the runs were called before. A value, an axis or a
variant that is added to the file runs only what is new.

Before it starts, the sweep says what files and tables tell of its data. Problems, such as copies of an image on both sides of
a split, keep it from starting; `mga data check` with the sweep file decodes the images and shows all.";

/// The launcher that is taken where nobody names one.
const LOCAL: &str = "local";

/// Run an experiment under many settings.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// The sweep file (TOML).
    sweep: PathBuf,
    /// The sweep's folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The launcher of the runs: `local` (this command), `slurm` (a SLURM job array with the resources of [launcher]),
    /// or another registered launcher. Left out: the one that [launcher] names, else `local`.
    #[arg(long, value_name = "NAME")]
    launcher: Option<String>,
    /// With --launcher slurm: write the scripts and submit nothing.
    #[arg(long)]
    emit: bool,
    /// The number of runs at once, which share the cores. Left out: one, or one per GPU if the experiment uses GPUs.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// List the runs with their states, time a few steps of each different arm, and run nothing.
    #[arg(long)]
    dry_run: bool,
    /// Run failed runs again, from their checkpoints.
    #[arg(long)]
    retry: bool,
    /// Start though the data have problems, such as the same image on both sides of a split.
    #[arg(long)]
    no_data_check: bool,
    /// Set a key of the base experiment to a TOML value, or else a string. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print one JSON object per line on standard output, for machines.
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
    let asked = args.launcher.as_deref().map(|name| launcher(name, &args, components)).transpose()?;
    let interrupt = signals::listen()?;
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
    let launcher = match asked {
        Some(launcher) => launcher,
        None => launcher(named(&planner.file().launcher).unwrap_or(LOCAL), &args, components)?,
    };
    anyhow::ensure!(
        launcher.waits() || planner.drawing() != Drawing::InRounds,
        "{}: search = \"{}\" learns from runs as they end, and --launcher {} fixes them when it starts them: use \
         --launcher local, or search = \"random\"",
        args.sweep.display(),
        planner.file().search.name,
        launcher.name()
    );
    let request = Request {
        retry: args.retry,
        emit: args.emit,
        at_once: args.jobs,
        quiet: args.quiet,
        offline: components.hub.settings().offline,
    };
    if !args.dry_run && launcher.makes_masks(&planner.file().launcher, &request)? {
        planner.keep_data();
    }
    let mut rounds = PlannedRounds::new(&mut planner, &args.out, &interrupt)?;
    let plan = if args.dry_run { rounds.drawn()? } else { rounds.first()? };
    rounds.planner().warnings.iter().for_each(|warning| say!("{warning}"));
    let data = SweepData::of(rounds.planner(), data_check(&args));
    data.line().iter().for_each(|line| say!("{line}"));
    if !args.dry_run && !args.no_data_check {
        data.settle(&plan)?;
    }
    if args.dry_run {
        return list(&plan, rounds.total(plan.cells.len()), launcher.as_ref(), &args, components, &interrupt);
    }
    std::fs::create_dir_all(&args.out).with_context(|| format!("{}: cannot be made", args.out.display()))?;
    let _lock = FolderLock::take(&args.out, "sweeps")?;
    whole_file::remove_leftovers(&args.out).with_context(|| format!("{}: cannot be tidied up", args.out.display()))?;
    rounds.planner().write_files(&args.out)?;
    // A bar is for runs that are waited for.
    let mut report = Report::new(args.json, args.quiet || !launcher.waits());
    launcher.launch(&mut Launch { plan, rounds: &mut rounds, request, interrupt: &interrupt, teller: &mut report })
}

/// Times some steps of a run. What keeps it from that is said: it would keep the run from training, too.
fn time(cell: &Cell, components: &Components, interrupt: &Interrupt) -> Option<Timed> {
    if interrupt.is_raised() {
        return None;
    }
    let timed = || -> anyhow::Result<Timed> {
        let folder = Scratch::new()?;
        let file = folder.path().join("experiment.toml");
        std::fs::write(&file, cell.experiment_text()?)?;
        let loaded = load(&file, &Overrides::default(), components)?;
        assemble::use_threads(loaded.experiment.threads);
        timing::time(&loaded, components)
    };
    timed().map_err(|error| say!("note: {} cannot be timed: {error:#}", cell.key)).ok()
}

/// The command that looks at the sweep's data in full.
fn data_check(args: &Args) -> String {
    let set: String = args.set.iter().map(|set| format!(" --set {set:?}")).collect();
    format!("mga data check {}{set}", args.sweep.display())
}

/// The launcher of that name, if it can do what is asked for.
fn launcher(name: &str, args: &Args, components: &Components) -> anyhow::Result<Arc<dyn Launcher>> {
    let launcher = components
        .launcher(name)
        .map_err(|error| Usage(clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{error}\n"))))?;
    if args.emit && !launcher.can_emit() {
        let writers = launchers(components).into_iter().filter(|entry| entry.item.can_emit());
        let writers: Vec<String> = writers.map(|entry| format!("--launcher {}", entry.name)).collect();
        anyhow::bail!("--emit writes the scripts of {}; name both", writers.join(" or "));
    }
    Ok(launcher)
}

/// The runs, and where each stands.
fn list(
    plan: &Plan,
    total: usize,
    launcher: &dyn Launcher,
    args: &Args,
    components: &Components,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let mut text = String::new();
    let queued = launcher.queued(plan)?;
    for cell in &plan.cells {
        let state = cell.state();
        let task = queued_of(&queued, cell).filter(|_| state.state != RunState::Finished);
        if args.json {
            let task = task.map(|task| &task.record);
            let run = json!({
                "key": cell.key, "found_as": cell.found_as(), "state": state, "cell": cell.record, "task": task,
            });
            text += &run.to_string();
        } else if let Some(task) = task {
            text += &format!("{} {}", cell.key, task.told);
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
        let (finished, failed) = (of(RunState::Finished), of(RunState::Failed));
        text += &format!("{}: {}: {finished} finished, {failed} failed", plan.name, counted(total, "run", "runs"));
        let left = total - finished - if args.retry { 0 } else { failed };
        text += &format!(", {left} to run");
        if total > plan.cells.len() {
            text += &format!("; {} are drawn when earlier ones have their scores", total - plan.cells.len());
        }
        let open: Vec<(&Cell, State)> =
            states.into_iter().filter(|(_, state)| args.retry || state.state != RunState::Failed).collect();
        // Runs of another launcher are not this machine's: they are estimated from finished ones alone.
        let mut timed = |cell| if launcher.waits() { time(cell, components, interrupt) } else { None };
        if let Some((estimate, arms)) = Estimate::of_arms(&open, &mut timed) {
            text += &format!("; {}\n", estimate.told(left, args.jobs.map_or(1, usize::from)));
            let longest = arms.iter().map(|arm| arm.name.chars().count()).max().unwrap_or(0);
            for ArmTime { name, seconds, left, from } in arms {
                text += &format!("  {name:<longest$}  {} a run, {left} to run (from {from})\n", duration(seconds));
            }
        } else {
            text += "\n";
        }
        let begun = plan.found().into_iter().filter(|found| found.state != RunState::Waiting);
        begun.for_each(|found| text += &(found.told() + "\n"));
        plan.superseded().iter().for_each(|old| text += &(old.told() + "\n"));
    }
    Ok(print(text)?)
}
