//! The interface of a launcher, and the request that it receives.

use std::collections::BTreeMap;

use mga_registry::Kind;
use mga_train::interrupt::Interrupt;
use schemars::Schema;
use serde_json::{Map, Value};

use super::teller::Teller;
use crate::plan::{Cell, Plan};

/// The kind of component that `--launcher` names.
#[derive(Debug)]
pub struct Launchers;

impl Kind for Launchers {
    type Item = dyn Launcher;
    const TITLE: &'static str = "launchers of sweeps";
    const KEY: &'static str = "--launcher";
}

/// Starts the runs of a sweep, or hands them to whoever does. `mga sweep --launcher NAME` takes the name of any registered
/// one.
pub trait Launcher: Send + Sync {
    /// The name in `--launcher NAME`.
    fn name(&self) -> &'static str;

    /// One line about it.
    fn about(&self) -> &'static str;

    /// The JSON schema of its own keys in `[launcher]` of a sweep file ([`super::settings_schema`]); `None`: it has none. The
    /// table may hold the keys of several launchers, and each reads its own.
    fn settings(&self) -> Option<Schema> {
        None
    }

    /// Whether it stays until the runs have ended. A search that learns from scores needs one that does.
    fn waits(&self) -> bool;

    /// Whether it can write down what it would start, and start nothing: `--emit`.
    fn can_emit(&self) -> bool {
        false
    }

    /// Whether it wants the masks that segmenters make to be made before runs are started; `settings` is `[launcher]`.
    ///
    /// # Errors
    /// Settings that cannot be understood.
    fn makes_masks(&self, _settings: &Map<String, Value>, _request: &Request) -> anyhow::Result<bool> {
        Ok(false)
    }

    /// The runs that wait or run elsewhere, in a cluster's queue say, by their keys.
    ///
    /// # Errors
    /// The queue cannot be asked.
    fn queued(&self, _plan: &Plan) -> anyhow::Result<BTreeMap<String, Queued>> {
        Ok(BTreeMap::new())
    }

    /// Starts what is left of the runs, and says what it does. The caller holds the lock of the sweep's folder.
    ///
    /// # Errors
    /// What kept it from starting them; runs that failed; a signal.
    fn launch(&self, sweep: &mut Launch<'_>) -> anyhow::Result<()>;
}

/// The request to start runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Request {
    /// Start those again that failed.
    pub retry: bool,
    /// Write down what would be started, and start nothing.
    pub emit: bool,
    /// Runs at once; `None`: as the launcher finds right.
    pub at_once: Option<u16>,
    /// Say no more than the result.
    pub quiet: bool,
    /// Open no connection.
    pub offline: bool,
}

/// A run that waits or runs elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The state in the queue, in words: `job 71_3 is PENDING (Resources)`.
    pub told: String,
    /// The state in the queue, as JSON.
    pub record: Value,
    /// Whether a process may be on its way to the run's folder, whose name then has to stay.
    pub begun: bool,
}

/// The source of a sweep's plan, as a launcher sees it.
pub trait Rounds {
    /// Returns the total number of runs, of which `planned` are already known.
    fn total(&self, planned: usize) -> usize;

    /// Writes down what the plan rests on. [`Launch::write_plan`] calls it before the plan is written.
    ///
    /// # Errors
    /// The folder cannot be written to.
    fn write(&self) -> anyhow::Result<()>;

    /// Returns the plan with the next round of a search that learns; `None`: there is none, or a signal came.
    ///
    /// # Errors
    /// What is wrong with the experiments that were drawn.
    fn next(&mut self, plan: &Plan) -> anyhow::Result<Option<Plan>>;

    /// Makes the masks that [`Launcher::makes_masks`] asked for; a line for each data set.
    ///
    /// # Errors
    /// A signal.
    fn make_masks(&mut self) -> anyhow::Result<Vec<String>>;
}

/// A sweep to be started.
pub struct Launch<'a> {
    /// The runs that are known so far.
    pub plan: Plan,
    /// The source of further runs.
    pub rounds: &'a mut dyn Rounds,
    /// The request to start them.
    pub request: Request,
    /// Raised by a signal.
    pub interrupt: &'a Interrupt,
    /// Tells people and machines.
    pub teller: &'a mut dyn Teller,
}

impl Launch<'_> {
    /// Writes down the plan and what it rests on, and tells of the runs that were found under other names. `busy` says where
    /// a process is about to work, so that the folder has to keep its name. To be called before anything is started.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write_plan(&mut self, busy: &dyn Fn(&Cell) -> bool) -> anyhow::Result<()> {
        self.rounds.write()?;
        let taken = self.plan.write(busy)?;
        self.teller.taken_over(&taken);
        Ok(())
    }
}

/// Returns the queued task of a run, under whatever name it was submitted.
#[must_use]
pub fn queued_of<'a>(queued: &'a BTreeMap<String, Queued>, cell: &Cell) -> Option<&'a Queued> {
    queued.get(&cell.key).or_else(|| queued.iter().find(|(key, _)| cell.is_called(key)).map(|(_, queued)| queued))
}
