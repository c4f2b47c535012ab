//! `mga sweep-task`: one planned run of a sweep's folder, as a job on a cluster runs it.

use std::path::PathBuf;

use mga_experiment::{Components, Overrides, load};
use mga_sweep::{Plan, RunState, Share, run_cell};
use mga_train::assemble;
use mga_train::interrupt::Interrupted;
use mga_train::runners::timing;

use crate::output::print;
use crate::signals;

const EXAMPLE: &str = "\
Example:
  mga sweep-task runs/leaves 7
  mga sweep-task runs/leaves baseline.seed-1-4f1c02ab

Runs one planned run, from its checkpoint if it has one, and writes its state. Many tasks may work on one folder.
A finished run is left alone.";

/// Run one planned run of a sweep's folder.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// The sweep's folder.
    folder: PathBuf,
    /// The run: its key, or its position in plan.json, from 0.
    run: String,
    /// Time some steps of the run instead of running it, and print an estimate of its time as JSON.
    #[arg(long)]
    time: bool,
}

/// Runs it.
///
/// # Errors
/// No such run; a run that failed; a signal.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let interrupt = signals::listen()?;
    let plan = Plan::open(&args.folder)?;
    let cell = plan.cell(&args.run)?;
    if args.time {
        let loaded = load(&cell.experiment_file(), &Overrides::default(), components)?;
        assemble::use_threads(loaded.experiment.threads);
        let timed = timing::time(&loaded, components)?;
        return Ok(print(serde_json::to_string(&timed)? + "\n")?);
    }
    if cell.state().state == RunState::Finished {
        say!("{}: finished already", cell.key);
        return Ok(());
    }
    let state = run_cell(cell, &Share::default(), components.hub.settings().offline, &interrupt)?;
    match state.state {
        RunState::Finished => Ok(()),
        RunState::Failed => anyhow::bail!("{}: {}", cell.key, state.error.unwrap_or_default()),
        _ => Err(Interrupted(format!("{}: interrupted, and saved", cell.key)).into()),
    }
}
