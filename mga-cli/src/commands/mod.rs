//! The program's commands, one a file: its arguments and what it does.

pub mod bench;
pub mod check;
pub mod completions;
pub mod data;
pub mod eval;
pub mod experiment_args;
pub mod explain;
pub mod init;
pub mod list;
pub mod masks;
pub mod model_args;
pub mod predict;
pub mod report;
pub mod results;
pub mod schema;
pub mod sweep;
mod sweep_data;
pub mod sweep_task;
pub mod train;
pub mod weights;

use mga_experiment::Components;

/// What the program can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write an experiment on a folder of images.
    Init(init::Args),
    /// Train an experiment.
    Train(train::Args),
    /// Run an experiment under many settings.
    Sweep(sweep::Args),
    /// Run one planned run of a sweep's folder, as a job on a cluster does.
    #[command(hide = true)]
    SweepTask(sweep_task::Args),
    /// Evaluate a run, or an experiment with weights.
    Eval(eval::Args),
    /// Predict the classes of images, with overlays of the attention.
    Predict(predict::Args),
    /// Show image, mask and attention side by side.
    Explain(explain::Args),
    /// Report on the runs of a sweep with tables, tests and paragraphs.
    Report(report::Args),
    /// List, compare, export and index the results of runs.
    Results(results::Args),
    /// List every registered component, one per line.
    List(list::Args),
    /// Make masks for a data set or a folder with a segmenter.
    Masks(Box<masks::Args>),
    /// Check data, split tables, write data sets to disk.
    Data(data::Args),
    /// Download published weights by name; convert, export and inspect weight files.
    Weights(weights::Args),
    /// Check an experiment and its data, and show what will train.
    Check(check::Args),
    /// Time training, inference or the loading of images.
    Bench(bench::Args),
    /// Print the JSON schema of the experiment file, or of the sweep file.
    Schema(schema::Args),
    /// Print a completion script for a shell.
    Completions(completions::Args),
}

impl Command {
    /// Runs the command. `program` makes the whole command line, for completions.
    ///
    /// # Errors
    /// Whatever went wrong; [`crate::status::report`] says it and knows the exit status.
    pub fn run(self, components: &Components, program: fn() -> clap::Command) -> anyhow::Result<()> {
        match self {
            Self::Train(args) => train::run(args, components),
            Self::Sweep(args) => sweep::run(args, components),
            Self::SweepTask(args) => sweep_task::run(args, components),
            Self::Eval(args) => eval::run(args, components),
            Self::Predict(args) => predict::run(args, components),
            Self::Explain(args) => explain::run(args, components),
            Self::Report(args) => report::run(args, components),
            Self::Results(args) => results::run(args),
            Self::List(args) => list::run(args, components),
            Self::Masks(args) => masks::run(*args, components),
            Self::Data(args) => data::run(args, components),
            Self::Weights(args) => weights::run(args, components),
            Self::Init(args) => init::run(args, components),
            Self::Check(args) => check::run(args, components),
            Self::Bench(args) => bench::run(args, components),
            Self::Schema(args) => schema::run(args, components),
            Self::Completions(args) => completions::run(args, program),
        }
    }
}
