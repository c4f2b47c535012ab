//! `mga check`: everything that can be said of an experiment before it trains.

use mga_experiment::{Components, Defaults};
use mga_train::assemble;
use mga_train::interrupt::Interrupt;
use mga_train::runners::check::check;

use super::experiment_args::ExperimentArgs;
use crate::output::print;
use crate::progress::Voice;

/// Resolve an experiment, check it and its data, and say what will train.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mga check experiments/quickstart.toml --set model.backbone=resnet18")]
pub struct Args {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// Print the resolved experiment too.
    #[arg(long)]
    resolved: bool,
}

/// Checks.
///
/// # Errors
/// What is wrong with the experiment, its data or its weights.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let mut loaded = args.experiment.load(components)?;
    assemble::use_threads(loaded.experiment.threads);
    let text = check(&mut loaded, components, &Voice::default(), &Interrupt::default())?;
    let resolved = if args.resolved { loaded.resolved(Defaults::New)? + "\n" } else { String::new() };
    Ok(print(resolved + &text)?)
}
