//! The program's commands, one a file: its arguments and what it does.

pub mod completions;
pub mod eval;
pub mod experiment_args;
pub mod schema;
pub mod train;

use crate::components::Components;

/// What the program can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Train an experiment.
    Train(train::Args),
    /// Evaluate a run, or an experiment with weights.
    Eval(eval::Args),
    /// Print the JSON schema of the experiment file.
    Schema(schema::Args),
    /// Print a completion script for a shell.
    Completions(completions::Args),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever went wrong; [`crate::status::report`] says it and knows the exit status.
    pub fn run(self, components: &Components) -> anyhow::Result<()> {
        match self {
            Self::Train(args) => train::run(args, components),
            Self::Eval(args) => eval::run(args, components),
            Self::Schema(args) => schema::run(args, components),
            Self::Completions(args) => completions::run(args, components),
        }
    }
}
